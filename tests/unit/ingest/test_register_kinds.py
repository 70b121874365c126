"""What councils write in their registers and pipelines, kind by kind, and what it means."""

import gzip
import io
import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from services.ingest.dates import register_days
from services.ingest.entries import AcceptedEntry, Entry, Options, RejectedEntry, SkippedEntry
from services.ingest.register import cells
from tests.unit.ingest import accepted, rejected
from tests.unit.ingest.reading import reads_of

HEADINGS = "Contract Reference,Contract Title,Start Date,End Date,Extension Options,Contract Value"


def notes_of(reads: list[Entry]) -> list[str]:
    return [note for read in reads if isinstance(read, AcceptedEntry) for note in read.notes if "window" not in note]


@pytest.mark.parametrize(
    ("cell", "first", "last"),
    [
        ("Apr-24", date(2024, 4, 1), date(2024, 4, 30)),
        ("March 2028", date(2028, 3, 1), date(2028, 3, 31)),
        ("Q4 2027/28", date(2028, 1, 1), date(2028, 3, 31)),
        ("Q2 2027/28", date(2027, 7, 1), date(2027, 9, 30)),
        ("Friday 31st March 2028", date(2028, 3, 31), date(2028, 3, 31)),
        ("31/03/2028 (with option to extend)", date(2028, 3, 31), date(2028, 3, 31)),
        ("31 / 03 / 2028", date(2028, 3, 31), date(2028, 3, 31)),
        ("31/03/2028 12:00:00 AM", date(2028, 3, 31), date(2028, 3, 31)),
        ("20280331", date(2028, 3, 31), date(2028, 3, 31)),
        ("2028/03/31", date(2028, 3, 31), date(2028, 3, 31)),
    ],
)
def test_days_months_and_quarters(cell: str, first: date, last: date) -> None:
    assert register_days(cell) == (first, last)


@pytest.mark.parametrize("cell", ["Ongoing", "Rolling contract", "31/12/2099", "01/01/2050", "31/12/9999", "Perpetual"])
def test_an_end_that_is_none_gives_no_window(tmp_path: Path, cell: str) -> None:
    (refusal,) = rejected(reads_of(tmp_path, f"{HEADINGS}\nC-1,Cleaning,01/04/2024,{cell},,\n"))
    assert refusal.field == "end"
    assert "tender dates of its own" in refusal.reason


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        ("£1.2m per annum", 4_800_000),
        ("£120k p.a.", 480_000),
        ("up to £50k", 50_000),
        ('"£250,000 + VAT"', 250_000),
        ('"£250,000 (exc VAT)"', 250_000),
        ("£ 250 000", 250_000),
        ("1.25E+06", 1_250_000),
        ('"1.000.000,50"', 1_000_000.5),
        ("Various", None),
        ("REDACTED COMMERCIAL CONFIDENTIALITY", None),
        ("#N/A", None),
        ('"£50,000 - £100,000"', None),
        ('"(5,000.00)"', None),
        ("9999999999999999999", None),
        ("about a million", None),
    ],
)
def test_a_value_that_can_not_be_read_costs_the_field(tmp_path: Path, cell: str, amount: float | None) -> None:
    (plan,) = accepted(reads_of(tmp_path, f"{HEADINGS}\nC-1,Cleaning,01/04/2024,31/03/2028,,{cell}\n"))
    assert (plan.value.amount if plan.value else None) == amount


def test_an_annual_value_without_a_term_is_left_out(tmp_path: Path) -> None:
    reads = reads_of(tmp_path, f"{HEADINGS}\nC-1,Cleaning,,31/03/2028,,£1m per annum\n")
    assert accepted(reads)[0].value is None
    assert notes_of(reads) == ["an annual value was left out, since the term is not known"]


@pytest.mark.parametrize(
    ("cell", "parts"),
    [
        ("2+1+1", (24, 12, 12)),
        ("3 + 2 years", (36, 24)),
        ("2 x 12 months", (12, 12)),
        ("24 months", (24,)),
        ("up to two years", (24,)),
        ("12", (12,)),
        ("No", (0,)),
        ("Yes", None),
        ("as agreed", None),
    ],
)
def test_durations(cell: str, parts: tuple[int, ...] | None) -> None:
    assert cells.durations(cell) == parts


@pytest.mark.parametrize(
    ("option", "end", "months"),
    [
        ("2+1+1", "31/03/2028", 0),  # the dates span all four years
        ("2+1+1", "31/03/2026", 24),
        ("1+1", "31/03/2027", 24),
        ("2 x 12 months", "31/03/2028", 24),
        ("No", "31/03/2028", 0),
        ("Yes, by agreement", "31/03/2028", 0),
        ("31/03/2030", "31/03/2028", 24),
    ],
)
def test_months_of_extension(tmp_path: Path, option: str, end: str, months: int) -> None:
    row = f"{HEADINGS}\nC-1,Cleaning,01/04/2024,{end},{option.replace(',', ';')},\n"
    (plan,) = accepted(reads_of(tmp_path, row, options=Options(authority="E06000038")))
    assert plan.contract.extension_months == months


def test_a_contract_in_its_extension_ends_when_that_does(tmp_path: Path) -> None:
    reads = reads_of(tmp_path, "Ref,Title,End Date,Extension End Date\nC-1,Homes,31/03/2025,31/03/2028\n")
    (plan,) = accepted(reads)
    assert plan.tender_window.latest == date(2027, 12, 31)
    assert plan.contract.extension_months == 0


def test_expired_contracts_are_counted_and_not_published(tmp_path: Path) -> None:
    reads = reads_of(tmp_path, "Ref,Title,End Date\nOLD-1,Homes,31/03/2018\nOLD-2,Catering,30/09/2026\n")
    assert [type(read) for read in reads] == [SkippedEntry, AcceptedEntry]
    assert any("has passed" in note for note in reads[1].notes)  # type: ignore[union-attr]


def test_totals_sections_and_repeated_headings_are_skipped(tmp_path: Path) -> None:
    rows = ["ENVIRONMENT,,,,,", "C-1,Cleaning,,31/03/2028,,", HEADINGS, ",TOTAL,,,,2000000", "Total,,,,,90"]
    reads = reads_of(tmp_path, "\n".join([HEADINGS, *rows]))
    assert [type(read) for read in reads] == [SkippedEntry, AcceptedEntry, SkippedEntry, SkippedEntry, SkippedEntry]


@pytest.mark.parametrize("reference", ["TBC", "N/A", "-", "None"])
def test_a_placeholder_is_no_reference(tmp_path: Path, reference: str) -> None:
    (refusal,) = rejected(reads_of(tmp_path, f"{HEADINGS}\n{reference},Cleaning,,31/03/2028,,\n"))
    assert refusal.field == "reference"
    assert refusal.plan_id is None


def test_a_reference_that_excel_made_a_number_is_one_plan(tmp_path: Path) -> None:
    plans = accepted(reads_of(tmp_path, f"{HEADINGS}\n456.0,Cleaning,,31/03/2028,,\n000123,Homes,,31/03/2028,,\n"))
    assert [plan.plan_id for plan in plans] == ["E06000038:456", "E06000038:000123"]


@pytest.mark.parametrize(
    "headings",
    [
        "Contract Reference,Title,Final End Date",
        '"Contract\nReference","Contract\nTitle","End Date\n(dd/mm/yyyy)"',
        "CONTRACT_NUMBER,CONTRACT_TITLE,CONTRACT_CURRENT_END_DATE",
        "Contract Id,Contract Description,Validity Period End",
    ],
)
def test_headings_with_qualifiers(tmp_path: Path, headings: str) -> None:
    (plan,) = accepted(reads_of(tmp_path, f"{headings}\nC-1,Cleaning,31/03/2028\n"))
    assert plan.contract.start == date(2028, 4, 1)


def test_a_refused_file_names_the_line_that_mends_it(tmp_path: Path) -> None:
    (refusal,) = reads_of(tmp_path, "Our Reference Nr,Contract Title,Supplier,End Date\nX,Homes,Alpha,31/03/2028\n")
    assert isinstance(refusal, RejectedEntry)
    assert "found: 'Our Reference Nr', 'Contract Title', 'Supplier', 'End Date'" in refusal.reason
    assert 'reference = "Our Reference Nr"' in refusal.reason


def test_another_bodys_row_is_not_published_as_the_callers(tmp_path: Path) -> None:
    rows = "Ref,Entity,Title,End Date\n1,LLX,Cleaning,31/03/2028\n2,LB Camden,Cleaning,31/03/2028\n"
    reads = reads_of(tmp_path, rows + "3,Reading Council,Cleaning,31/03/2028\n")
    assert [refusal.field for refusal in rejected(reads)] == ["authority", "authority"]
    assert [plan.plan_id for plan in accepted(reads)] == ["E06000038:3"]


def test_a_pipeline_gets_stable_references(tmp_path: Path) -> None:
    content = (
        "Project Title,Directorate,Estimated Contract Value,Anticipated Tender Date,Anticipated Contract Start,"
        "Contract Term\n"
        'Telecare service,Adults,"£900,000",Q2 2027/28,01/04/2028,3 + 2 years\n'
    )
    (plan,), (again,) = (
        accepted(reads_of(tmp_path, content)),
        accepted(reads_of(tmp_path, content.replace("900", "950"))),
    )
    assert plan.plan_id == again.plan_id
    assert plan.kind == "new"
    assert (plan.tender_window.earliest, plan.tender_window.latest) == (date(2027, 7, 1), date(2027, 9, 30))
    assert (plan.contract.start, plan.contract.end) == (date(2028, 4, 1), date(2031, 3, 31))


def test_escapes_and_twice_encoded_words_are_put_right(tmp_path: Path) -> None:
    rows = "Ref,Title,End Date\n1,Repairs &amp; lifts,31/03/2028\n2,Childrenâ€™s ho\x00mes,31/03/2028\n"
    assert [plan.title for plan in accepted(reads_of(tmp_path, rows))] == ["Repairs & lifts", "Children’s homes"]


ROWS = "Contract Reference;Contract Title;End Date\nCH-1;Homes;31/03/2028\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("sep.csv", f"sep=;\n{ROWS}".encode()),
        ("bars.csv", ROWS.replace(";", "|").encode()),
        ("utf16.csv", ROWS.encode("utf-16-le")),
        ("packed.csv.gz", gzip.compress(ROWS.encode(), mtime=0)),
    ],
    ids=["stated separator", "bars", "UTF-16 without a mark", "gzip"],
)
def test_dialects_and_packed_files(tmp_path: Path, name: str, content: bytes) -> None:
    assert [plan.title for plan in accepted(reads_of(tmp_path, content, name))] == ["Homes"]


def test_a_zip_of_one_file_and_a_workbook(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("register.csv", ROWS)
    workbook, saved = Workbook(), io.BytesIO()
    workbook.active.append(["Register of contracts"])
    workbook.active.append(["Contract Reference", "Contract Title", "End Date", "Contract Value"])
    workbook.active.append([456.0, "Homes", datetime(2028, 3, 31), 1_000_000])  # noqa: DTZ001
    workbook.save(saved)
    assert [plan.title for plan in accepted(reads_of(tmp_path, packed.getvalue(), "register.csv.zip"))] == ["Homes"]
    (plan,) = accepted(reads_of(tmp_path, saved.getvalue(), "register.xlsx"))
    assert (plan.plan_id, plan.value.amount) == ("E06000038:456", 1_000_000)
    assert plan.contract.start == date(2028, 4, 1)


def _sheet(last_row: int, last_column: int, value: str | None) -> bytes:
    """A register of one contract, and a cell far away: with a value, or only formatted."""
    workbook, saved = Workbook(), io.BytesIO()
    workbook.active.append(["Contract Reference", "Contract Title", "End Date", "Contract Value"])
    workbook.active.append([456.0, "Homes", datetime(2028, 3, 31), 1_000_000])  # noqa: DTZ001
    cell = workbook.active.cell(last_row, last_column)
    cell.value, cell.number_format = value, "0.00"
    workbook.save(saved)
    return saved.getvalue()


@pytest.mark.parametrize("at", [(1_048_576, 16_384), (2, 16_384)])
def test_a_formatted_cell_far_away_takes_no_time(tmp_path: Path, at: tuple[int, int]) -> None:
    (plan,) = accepted(reads_of(tmp_path, _sheet(*at, None), "register.xlsx"))
    assert plan.plan_id == "E06000038:456"


def test_a_value_far_to_the_right_is_refused(tmp_path: Path) -> None:
    refusals = rejected(reads_of(tmp_path, _sheet(1_048_576, 16_384, "here"), "register.xlsx"))
    assert "has a value to the right of column 500 in row 1048576; delete it" in refusals[-1].reason


@pytest.mark.parametrize("stated", ["row", "cells"])
def test_a_sheet_that_states_more_than_a_spreadsheet_holds_is_refused(tmp_path: Path, stated: str) -> None:
    far = '<row r="999999999999"><c r="A1"/></row>' if stated == "row" else '<row><c r="XFD1"/></row>' * 2_000
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_sheet(3, 1, None))) as before, zipfile.ZipFile(changed, "w") as after:
        for part in before.infolist():
            content = before.read(part)
            if part.filename == "xl/worksheets/sheet1.xml":
                content = content.replace(b"</sheetData>", far.encode() + b"</sheetData>")
            after.writestr(part, content)
    refusals = rejected(reads_of(tmp_path, changed.getvalue(), "register.xlsx"))
    assert "has more than 1,048,576 rows or 20,000,000 cells; save the table as CSV" in refusals[-1].reason


@pytest.mark.parametrize("content", [b"\x1f\x8b broken", b"PK\x03\x04 broken"], ids=["gzip", "zip"])
def test_a_packed_file_that_is_broken_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (refusal,) = rejected(reads_of(tmp_path, content))
    assert refusal.where == "file"
    assert "can't be" in refusal.reason


def test_ocds_as_json_lines(tmp_path: Path) -> None:
    release = (
        '{"ocid": "ocds-x-%d", "date": "2027-03-02T09:15:00Z", "tag": ["planning"], "buyer": {"name": "Derby Council"},'
        ' "tender": {"title": "Homes", "communication": {"futureNoticeDate": "2028-01-17T00:00:00Z"}}}\n'
    )
    reads = reads_of(tmp_path, release % 1 + release % 2, "releases.jsonl", Options())
    assert [plan.plan_id for plan in accepted(reads)] == ["E06000015:ocds-x-1", "E06000015:ocds-x-2"]
