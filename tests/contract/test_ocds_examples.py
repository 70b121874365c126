"""Eight real notices of four portals: each becomes a plan or is refused for a reason that a person understands."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from services.ingest.entries import Options
from services.ingest.ocds.reader import read_ocds
from tests.unit.ingest import SHARED, accepted, rejected

NOTICES = SHARED / "ocds" / "examples"

pytestmark = pytest.mark.skipif(not NOTICES.is_dir(), reason="the real notices are not beside the repository")


def _file(start: str) -> Path:
    (file,) = NOTICES.glob(f"{start}*.json")
    return file


def _plan(start: str, options: Options | None = None) -> Any:
    reads = list(read_ocds(_file(start), options or Options()))
    assert not rejected(reads), rejected(reads)
    (plan,) = accepted(reads)
    return plan


def test_there_are_eight_and_none_comes_to_nothing() -> None:
    files = sorted(NOTICES.glob("*.json"))
    assert len(files) == 8
    for file in files:
        reads = list(read_ocds(file, Options()))
        assert len(accepted(reads)) + len(rejected(reads)) == (20 if "package_20" in file.name else 1)


def test_the_uk1_pipeline_notice_becomes_a_plan() -> None:
    plan = _plan("fts_uk1")
    assert plan.plan_id == "E06000057:ocds-h6vhtk-068ae4"
    assert plan.revision == 1777040913689
    (release,) = json.loads(_file("fts_uk1").read_text(encoding="utf-8"))["releases"]
    assert plan.title == release["tender"]["title"].strip()
    assert (plan.kind, plan.stage, plan.value.amount) == ("project", "planned", 30_000_000)
    assert (plan.tender_window.earliest, plan.tender_window.latest) == (date(2026, 5, 29), date(2026, 9, 29))
    assert (plan.contract.start, plan.contract.end) == (date(2027, 3, 31), date(2028, 3, 31))
    assert len(plan.cpv) == 12
    assert plan.regions


def test_market_engagement_gives_half_a_year() -> None:
    plan = _plan("cf_planning_early")
    assert (plan.authority, plan.stage) == ("E06000061", "engagement")
    assert (plan.tender_window.earliest, plan.tender_window.latest) == (date(2025, 3, 21), date(2025, 9, 21))
    assert (plan.cpv, plan.regions) == (("85000000",), ("TLF",))


def test_a_welsh_tender_with_a_placeholder_for_its_value() -> None:
    plan = _plan("sell2wales")
    assert (plan.authority, plan.stage, plan.value) == ("W06000011", "tendering", None)
    assert plan.cpv[0] == "50000000"


@pytest.mark.parametrize(
    ("start", "field", "words"),
    [
        (
            "cf_planning_future",
            "tender.communication.futureNoticeDate",
            "(2030-04-01) is not before the contract's start",
        ),
        ("fts_uk2", "tender.title", "doesn't say what is to be bought"),
        ("fts_uk4", "buyer", "'Harrogate Town Council' is not a local authority known by this name"),
        ("pcs_tender", "buyer", "'Scotland Excel' is not a local authority known by this name"),
    ],
)
def test_four_are_refused_for_a_reason(start: str, field: str, words: str) -> None:
    (refusal,) = rejected(read_ocds(_file(start), Options()))
    assert refusal.field == field
    assert words in refusal.reason


def test_a_town_council_is_published_by_its_notices_identifier() -> None:
    plan = _plan("fts_uk4", Options(unknown_buyers="org-id"))
    assert (plan.authority, plan.stage) == ("GB-PPON-PDTL-7248-GWZW", "tendering")


def test_unknown_buyers_of_twenty_tenders_are_named() -> None:
    reads = list(read_ocds(_file("fts_tender_package"), Options()))
    assert {plan.authority for plan in accepted(reads)} == {
        "E09000014", "E10000016", "E06000010", "S12000019", "E09000013",
    }  # fmt: skip
    assert all(plan.stage == "tendering" for plan in accepted(reads))
    assert len(rejected(reads)) == 15
    assert all(refusal.field == "buyer" and "is not a local authority" in refusal.reason for refusal in rejected(reads))


def test_with_org_ids_all_twenty_become_plans() -> None:
    reads = list(read_ocds(_file("fts_tender_package"), Options(unknown_buyers="org-id")))
    assert not rejected(reads)
    assert len({plan.plan_id for plan in accepted(reads)}) == 20


def test_no_contact_comes_along() -> None:
    for file in NOTICES.glob("*.json"):
        for plan in accepted(read_ocds(file, Options(unknown_buyers="org-id"))):
            assert "@" not in plan.model_dump_json()
