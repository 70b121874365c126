"""Contract registers as CSV: headings, days, money, windows, and refusals row by row."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.calendar import add_months
from services.ingest import formats
from services.ingest.dates import months_between, register_days
from services.ingest.entries import Entry, Options
from services.ingest.register.column_mapping import BUILT_IN, MappingError, load_mapping
from services.ingest.register.reader import read_register
from tests.unit.ingest import EXAMPLES, accepted, rejected

HARROW = Options(authority="E09000015")
HEADINGS = "Reference,Title,Description,End date,Latest end date,Contract value"


def _reads(tmp_path: Path, text: str | bytes, options: Options = HARROW, mapping: Path | None = None) -> list[Entry]:
    file = tmp_path / "register.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    columns = load_mapping(mapping) if mapping else BUILT_IN
    return list(formats.deduplicate(read_register(file, options, columns)))


def _row(tmp_path: Path, row: str) -> list[Entry]:
    return _reads(tmp_path, f"{HEADINGS}\n{row}\n")


def test_a_contract_becomes_the_plan_to_replace_it(tmp_path: Path) -> None:
    (plan,) = accepted(_row(tmp_path, 'C-1,Payroll,For all staff,31/03/2029,31/03/2031,"£1,250,000.50"'))

    assert plan.plan_id == "E09000015:C-1"
    assert plan.kind == "renewal"
    assert plan.value.amount == 1_250_000.5
    assert (plan.tender_window.earliest, plan.tender_window.latest) == (date(2028, 6, 30), date(2028, 12, 31))
    assert plan.contract.start == date(2029, 4, 1)
    assert plan.contract.extension_months == 24


@pytest.mark.parametrize(
    ("row", "field"),
    [
        pytest.param(",Payroll,,31/03/2029,,", "reference", id="no reference"),
        pytest.param("C-1,,,31/03/2029,,", "title", id="no title"),
        pytest.param("C-1,Payroll,,,,", "end", id="no end"),
        pytest.param("C-1,Payroll,,30/02/2029,,", "end", id="no such day"),
        pytest.param("C-1,Payroll,,03/31/2029,,", "end", id="month first"),
        pytest.param("C-1,Payroll,,soon,,", "end", id="a word for a day"),
        pytest.param(f"C-1,Payroll,{'x' * 10_000_000},31/03/2029,,", "description", id="10 MB field"),
        pytest.param(f"C-1,{'x' * 501},,31/03/2029,,", "title", id="long title"),
        pytest.param("C-1", "end", id="cells missing"),
    ],
)
def test_refused_with_row_and_field_and_the_rest_goes_on(tmp_path: Path, row: str, field: str) -> None:
    reads = _reads(tmp_path, f"{HEADINGS}\nA,Telephony,,31/03/2029,,\n{row}\nB,Network,,31/03/2029,,\n")

    (refusal,) = rejected(reads)
    assert (refusal.where, refusal.field) == ("row 3", field)
    assert [plan.title for plan in accepted(reads)] == ["Telephony", "Network"]


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("31/03/2029", date(2029, 3, 31)),
        ("1/4/29", date(2029, 4, 1)),
        ("2029-03-31", date(2029, 3, 31)),
        ("2029-03-31 00:00:00", date(2029, 3, 31)),
        ("31/03/2029 00:00", date(2029, 3, 31)),
        ("31.03.2029", date(2029, 3, 31)),
        ("31-Mar-29", date(2029, 3, 31)),
        ("31st March 2029", date(2029, 3, 31)),
        ("1 Sept 2028", date(2028, 9, 1)),
        ("29/02/2028", date(2028, 2, 29)),
        ("47208", date(2029, 3, 31)),
        ("47208.0", date(2029, 3, 31)),
        ("29/02/2029", None),
        ("13/13/2029", None),
        ("31/03/0009", None),
        ("12345678", None),
        ("٣١/٠٣/٢٠٢٩", date(2029, 3, 31)),
        ("", None),
    ],
)
def test_days_as_registers_write_them(written: str, day: date | None) -> None:
    assert register_days(written) == (day and (day, day))


@given(st.text(max_size=30))
def test_no_text_breaks_the_reading_of_days(text: str) -> None:
    days = register_days(text)
    assert days is None or days[0] <= days[1]


@given(st.dates(date(1980, 1, 1), date(2100, 1, 1)), st.integers(0, 240))
def test_months_added_are_months_between(start: date, months: int) -> None:
    assert months_between(start, add_months(start, months)) == months


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        ("£310k", 310_000),
        ("1.2m", 1_200_000),
        ("250000", 250_000),
        ("£ 2 million", 2_000_000),
        ("TBC", None),
        ("0", None),
    ],
)
def test_money_as_registers_write_it(tmp_path: Path, cell: str, amount: float | None) -> None:
    (plan,) = accepted(_row(tmp_path, f"C-1,Payroll,,31/03/2029,,{cell}"))
    assert (plan.value.amount if plan.value else None) == amount


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(f"\ufeff{HEADINGS}\r\nC-1,Café system,,31/03/2029,,\r\n".encode(), id="BOM and CRLF"),
        pytest.param(f"{HEADINGS}\nC-1,Café system,,31/03/2029,,\n".encode("cp1252"), id="Windows code page"),
        pytest.param(f"{HEADINGS}\nC-1,Café system,,31/03/2029,,\n".encode("utf-16"), id="Excel's Unicode text"),
        pytest.param(f"{HEADINGS}\nC-1,Café system,,31/03/2029,,\n".replace(",", ";").encode(), id="semicolons"),
        pytest.param(f"{HEADINGS}\nC-1,Café system,,31/03/2029,,\n".replace(",", "\t").encode(), id="tabs"),
        pytest.param(f"Register,,\n,,\n{HEADINGS}\nC-1,Café system,,31/03/2029,,\n".encode(), id="title above"),
    ],
)
def test_however_the_spreadsheet_was_saved(tmp_path: Path, content: bytes) -> None:
    assert [plan.title for plan in accepted(_reads(tmp_path, content))] == ["Café system"]


def test_rows_are_numbered_as_in_the_spreadsheet(tmp_path: Path) -> None:
    reads = _reads(tmp_path, f'{HEADINGS}\nC-1,Payroll,"one\ntwo",31/03/2029,,\nC-2,Payroll,,,,\n')
    assert accepted(reads)[0].description == "one\ntwo"
    assert rejected(reads)[0].where == "row 3"


def test_one_reference_for_two_contracts_is_refused(tmp_path: Path) -> None:
    reads = _reads(tmp_path, f"{HEADINGS}\nC-1,Payroll,,31/03/2029,,\nC-1,Telephony,,31/03/2029,,\n")
    (refusal,) = rejected(reads)
    assert "own reference" in refusal.reason
    assert len(accepted(reads)) == 1


def test_references_that_look_alike_stay_apart(tmp_path: Path) -> None:
    reads = _reads(tmp_path, f"{HEADINGS}\nC/1,Payroll,,31/03/2029,,\nC 1,Network,,31/03/2029,,\nC-1,X,,31/03/2029,,\n")
    assert len({plan.plan_id for plan in accepted(reads)}) == 3


def test_people_are_taken_out_of_texts(tmp_path: Path) -> None:
    (plan,) = accepted(_row(tmp_path, "C-1,Payroll,Ask j.doe@council.example or 020 7946 0000 about it,31/03/2029,,"))
    assert plan.description == "Ask [email removed] or [telephone removed] about it"


@pytest.mark.parametrize(
    "content",
    [
        "nothing,to,see\n1,2,3\n",
        "Reference,Title\nC-1,Payroll\n",
        "",
        "\x00\x00",
        "a" * 100_000,
    ],
)
def test_a_file_without_the_columns_is_one_refusal_that_says_so(tmp_path: Path, content: str) -> None:
    (refusal,) = _reads(tmp_path, content)
    assert rejected([refusal])
    assert "--mapping" in refusal.reason  # type: ignore[union-attr]


def test_whose_register_it_is_must_be_said(tmp_path: Path) -> None:
    reads = _reads(tmp_path, f"{HEADINGS}\nC-1,Payroll,,31/03/2029,,\n", Options())
    assert "--authority" in rejected(reads)[0].reason


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("[columns]\ntitel = 'x'\n", "columns.titel"),
        ("[window]\nearliest_months_before_end = 2\nlatest_months_before_end = 3\n", "must not be more"),
        ("[defaults]\nkind = 'lease'\n", "defaults.kind"),
        ("not toml", "TOML"),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(tmp_path: Path, toml: str, words: str) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text(toml)
    with pytest.raises(MappingError, match=words):
        load_mapping(file)


def test_the_example_mapping_reads_its_register() -> None:
    mapping = load_mapping(EXAMPLES / "register-mapping.toml")
    reads = list(read_register(EXAMPLES / "mapped-register.csv", Options(), mapping))
    assert not rejected(reads)
    assert [plan.sharing for plan in accepted(reads)] == ["open", "match_only"]
