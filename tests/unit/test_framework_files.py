"""Files of frameworks: the CSV file there and back, each wrong line with its reason, and OCDS notices."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.frameworks import AwardMethod, FrameworkLot
from services.application.csv_table import FileError, Problem
from services.application.framework_csv import COLUMNS, read, to_csv
from services.ingest.entries import RefusedError
from services.ingest.framework_notices import read_framework_notices

ROOT = Path(__file__).parents[2]
HEADER = "framework,title,owner,lot,starts,ends,extended_until,entitled,award,fee_percent,cpv,url,source\n"


def test_the_example_in_the_docs_can_be_imported() -> None:
    found = list(read((ROOT / "docs/examples/frameworks.csv").read_text("utf-8")))
    assert [(lot.key, lot.entitled, lot.award) for lot in found if isinstance(lot, FrameworkLot)] == [
        ("EX-0001/1", (), AwardMethod.COMPETITION),
        ("EX-0001/2", (), AwardMethod.EITHER),
        ("EX-0002", ("E06000047", "TLE"), AwardMethod.DIRECT),
    ]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("F,T,O,,2027-13-01,,,,,,,,s", "starts"),
        ("F,T,O,,,,,,,,,,s", "starts"),
        ("F,T,O,,2027-01-01,2026-01-01,,,,,,,s", "ends"),
        ("F,T,O,,2027-01-01,2028-01-01,2027-06-01,,,,,,s", "ends"),
        ("F,T,O,,2027-01-01,,2028-06-01,,,,,,s", "ends"),
        ("F,T,O,,2027-01-01,,,every body!,,,,,s", "entitled"),
        ("F,T,O,,2027-01-01,,,,lottery,,,,s", "award"),
        ("F,T,O,,2027-01-01,,,,,101,,,s", "fee_percent"),
        ("F,T,O,,2027-01-01,,,,,nan,,,s", "fee_percent"),
        ("F,T,O,,2027-01-01,,,,,,4845,,s", "cpv"),
        ("F,T,O,,2027-01-01,,,,,,,javascript:alert(1),s", "url"),
        ("F,T,O,,2027-01-01,,,,,,,,", "source"),
        (",T,O,,2027-01-01,,,,,,,,s", "framework"),
    ],
)
def test_a_wrong_line_is_told_with_its_field(line: str, field: str) -> None:
    right = "G,T,O,,2027-01-01,,,,,,,,s"
    problem, lot = read(f"{HEADER}{line}\n{right}\n")
    assert isinstance(problem, Problem)
    assert (problem.line, problem.field) == (2, field)
    assert isinstance(lot, FrameworkLot)


def test_a_lot_stands_once() -> None:
    _, again = read(HEADER + "F,T,O,1,2027-01-01,,,,,,,,s\nF,T,O,1,2028-01-01,,,,,,,,s\n")
    assert again == Problem(3, "lot", "stands twice; line 2 was taken")


def test_a_wrong_header_is_told() -> None:
    with pytest.raises(FileError, match="extended_until"):
        list(read("framework,title,owner,starts,source,colour\n"))


texts = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=20).map(str.strip)
days = st.dates(date(2020, 1, 1), date(2040, 1, 1))


@given(
    st.builds(
        FrameworkLot,
        framework=texts.filter(bool),
        title=texts.filter(bool),
        owner=texts.filter(bool),
        starts=st.just(date(2020, 1, 1)),
        ends=st.none() | days,
        lot=texts,
        lot_title=texts,
        scope=texts,
        entitled=st.sampled_from([None, (), ("E08000035", "TLE")]),
        award=st.sampled_from(AwardMethod),
        fee_percent=st.sampled_from([None, 0.0, 0.75, 12.0]),
        source=texts.filter(bool),
    )
)
def test_what_is_written_is_read_again(lot: FrameworkLot) -> None:
    assert list(read(to_csv([lot]))) == [lot]
    assert to_csv([]).strip() == ",".join(COLUMNS)


def _notice(**changes: Any) -> dict[str, Any]:
    tender = {
        "title": "HR software",
        "description": "Human resources and payroll software",
        "techniques": {"hasFrameworkAgreement": True, "frameworkAgreement": {"maximumParticipants": 1}},
        "classification": {"scheme": "CPV", "id": "48450000"},
        "lots": [
            {"id": "1", "title": "HR", "contractPeriod": {"startDate": "2027-01-01", "endDate": "2028-12-31"}},
            {"id": "2", "title": "Pay", "contractPeriod": {"startDate": "2027-03-01", "endDate": "2030-12-31"}},
            {"id": "3", "title": "Gone", "status": "cancelled"},
        ],
    }
    buyer = {"name": "Example Purchasing"}
    return {"ocid": "ocds-x-1", "id": "1-2027", "date": "2026-11-01", "buyer": buyer, "tender": tender | changes}


def test_a_notice_of_a_framework_becomes_its_lots(tmp_path: Path) -> None:
    later = _notice() | {"id": "2-2027", "date": "2026-12-01"}
    other = _notice(techniques={"hasDynamicPurchasingSystem": True}) | {"ocid": "ocds-x-2"}
    file = tmp_path / "notices.json"
    file.write_text(json.dumps({"releases": [later, _notice(), other]}), "utf-8")
    first, second = read_framework_notices(file)
    assert isinstance(first, FrameworkLot)
    assert (first.framework, first.lot, first.lot_title, first.owner) == ("ocds-x-1", "1", "HR", "Example Purchasing")
    assert (first.starts, first.ends) == (date(2027, 1, 1), date(2030, 12, 31))
    assert (first.cpv, first.entitled, first.award) == (("48450000",), None, AwardMethod.DIRECT)
    assert first.source == "notice 2-2027"
    assert isinstance(second, FrameworkLot)
    assert second.lot_title == "Pay"


def test_a_notice_without_a_term_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notices.json"
    file.write_text(json.dumps(_notice(lots=[])), "utf-8")
    (refused,) = read_framework_notices(file)
    assert isinstance(refused, RefusedError)
    assert "first day" in refused.reason
    file.write_text("[", "utf-8")
    with pytest.raises(RefusedError):
        list(read_framework_notices(file))
