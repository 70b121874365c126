"""What an OCDS notice is: how far the tender is, when it is expected, who buys, or why there is no plan."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from events.plans import PlanAwarded, PlanPublished, PlanUpdated, PlanWithdrawn
from services.ingest.entries import AcceptedEntry, Options
from tests.unit.ingest import accepted, rejected
from tests.unit.ingest.notices import NOTICE, notice, plan_of, planned, reads_of


def test_a_pipeline_notice_becomes_a_plan(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"releases": [NOTICE]})
    assert isinstance(plan, PlanPublished)
    assert plan.plan_id == "E06000015:ocds-x-1"
    assert plan.revision == 1803978900001
    assert (plan.kind, plan.stage) == ("new", "planned")
    assert (plan.tender_window.earliest, plan.tender_window.latest) == (date(2027, 12, 17), date(2028, 4, 17))


@pytest.mark.parametrize(
    ("release", "stage"),
    [
        ({"planning": {"documents": [{"noticeType": "UK1"}]}}, "planned"),
        ({"planning": {"documents": [{"noticeType": "UK2"}]}}, "engagement"),
        ({"planning": {"documents": [{"noticeType": "UK3"}]}}, "planned"),
        ({"planning": {"documents": [{"documentType": "marketEngagementNotice"}]}}, "engagement"),
        ({"tag": ["tender"], "tender": {"documents": [{"noticeType": "UK4"}]}}, "tendering"),
        ({"tag": ["tender"], "tender": {"status": "active"}}, "tendering"),
        ({"tag": ["compiled"], "tender": {"status": "active"}}, "tendering"),
        ({"tag": ["compiled"], "tender": {"status": "planned"}}, "planned"),
        ({"tag": ["planning"], "tender": {"status": "planning"}}, "planned"),
    ],
)
def test_the_notice_says_how_far_it_is(tmp_path: Path, release: dict[str, Any], stage: str) -> None:
    assert plan_of(tmp_path, notice(**release)).stage == stage


@pytest.mark.parametrize(
    ("release", "model"),
    [
        ({"tag": ["planningUpdate"]}, PlanUpdated),
        ({"tag": ["tenderUpdate"]}, PlanUpdated),
        ({"tender": {"status": "cancelled"}}, PlanWithdrawn),
        ({"tender": {"status": "withdrawn"}}, PlanWithdrawn),
        ({"tender": {"status": "unsuccessful"}}, PlanWithdrawn),
        ({"tag": ["tenderCancellation"]}, PlanWithdrawn),
        ({"tender": {"documents": [{"noticeType": "UK12"}]}}, PlanWithdrawn),
        ({"tag": ["award"], "awards": [{"status": "cancelled"}]}, PlanWithdrawn),
        ({"tag": ["award"], "awards": [{"status": "active", "date": "2027-02-28T00:00:00Z"}]}, PlanAwarded),
        ({"tag": ["contract"]}, PlanAwarded),
        ({"tag": ["compiled"], "awards": [{"status": "active"}]}, PlanAwarded),
        ({"awards": [{"documents": [{"noticeType": "UK6"}]}]}, PlanAwarded),
    ],
)
def test_the_notice_says_what_happened(tmp_path: Path, release: dict[str, Any], model: type) -> None:
    assert type(plan_of(tmp_path, notice(**release))) is model


def test_the_day_of_the_award_is_kept(tmp_path: Path) -> None:
    release = notice(tag=["award"], awards=[{"date": "2027-02-28T00:00:00Z"}], contracts=[{"dateSigned": "2027-02-20"}])
    assert plan_of(tmp_path, release).awarded_on == date(2027, 2, 20)


@pytest.mark.parametrize(
    ("release", "window", "rule"),
    [
        (planned(tenderPeriod={"startDate": "2028-01-10", "endDate": "2028-02-10"}), ("2028-01-10", "2028-02-10"), ""),
        (planned(contractPeriod={"startDate": "2028-10-01"}), ("2028-01-01", "2028-07-01"), "contract start"),
        (
            planned(
                lots=[{"contractPeriod": {"startDate": "2028-11-01"}}, {"contractPeriod": {"startDate": "2028-10-01"}}]
            ),
            ("2028-01-01", "2028-07-01"),
            "contract start",
        ),
        (
            planned(milestones=[{"type": "futureSignatureDate", "dueDate": "2028-10-01"}]),
            ("2028-01-01", "2028-07-01"),
            "signature",
        ),
        (
            planned() | {"planning": {"milestones": [{"type": "engagement", "dueDate": "2027-08-31"}]}},
            ("2027-08-31", "2028-02-29"),
            "engagement",
        ),
        (notice({"communication": {"futureNoticeDate": "2027-03-10"}}), ("2027-03-02", "2027-06-10"), "announced"),
        (notice({"communication": {"futureNoticeDate": "2027-01-31"}}), ("2027-03-02", "2027-04-30"), "announced"),
        (
            notice({"status": "active", "tenderPeriod": {"endDate": "2027-04-02T12:00:00+01:00"}}, tag=["tender"]),
            ("2027-03-02", "2027-04-02"),
            "",
        ),
        (notice({"status": "active"}, tag=["tender"]), ("2027-03-02", "2027-03-02"), "no end"),
    ],
)
def test_windows_and_the_rules_they_come_from(
    tmp_path: Path, release: dict[str, Any], window: tuple[str, str], rule: str
) -> None:
    (read,) = reads_of(tmp_path, release)
    assert isinstance(read, AcceptedEntry), read
    found = accepted([read])[0].tender_window
    assert (str(found.earliest), str(found.latest)) == window
    assert rule in " ".join(read.notes)
    assert bool(read.notes) == bool(rule)


@pytest.mark.parametrize(
    ("release", "field", "words"),
    [
        (notice(ocid=None), "ocid", "missing"),
        (notice(date="yesterday"), "date", "revision"),
        (notice(date="1960-01-01T00:00:00Z"), "date", "revision"),
        (notice(buyer=None), "buyer", "who buys"),
        (notice(buyer={"name": "Ministry of Silly Walks", "id": "GB-PPON-9"}), "buyer", "--unknown-buyers org-id"),
        (notice({"title": ""}), "tender.title", "what is to be bought"),
        (planned(), "tender.communication.futureNoticeDate", "nothing else says"),
        (
            notice({"contractPeriod": {"startDate": "2027-12-01"}}),
            "tender.communication.futureNoticeDate",
            "not before",
        ),
        (
            notice({"communication": {"futureNoticeDate": "2026-01-01"}}),
            "tender.communication.futureNoticeDate",
            "long before",
        ),
        (
            planned(tenderPeriod={"startDate": "2028-02-10", "endDate": "2028-01-10"}),
            "tender.tenderPeriod",
            "before it starts",
        ),
        (notice({"contractPeriod": {"startDate": "2029-02-01", "endDate": "2028-02-01"}}), "contract", "is after end"),
    ],
)
def test_refusals_say_what_is_missing(tmp_path: Path, release: dict[str, Any], field: str, words: str) -> None:
    (refusal,) = rejected(reads_of(tmp_path, {"releases": [release]}))
    assert refusal.where.startswith("releases[0]")
    assert refusal.field == field
    assert words in refusal.reason


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("City of Derby", "E06000015"),
        ("Derby City Council - Procurement", "E06000015"),
        ("Kingston Upon Hull City Council", "E06000010"),
        ("Mendip District Council", "E06000066"),
    ],
)
def test_a_former_buyer_is_found_by_its_successor(tmp_path: Path, name: str, code: str) -> None:
    assert plan_of(tmp_path, notice(buyer={"name": name})).authority == code


@pytest.mark.parametrize(
    "name", ["Kent (Mental Health) Trust", "Derby - University Hospitals", "Harrogate Town Council"]
)
def test_a_name_that_only_begins_like_a_council_is_not_one(tmp_path: Path, name: str) -> None:
    assert rejected(reads_of(tmp_path, notice(buyer={"name": name})))


def test_an_unknown_buyer_can_be_published(tmp_path: Path) -> None:
    release = notice(buyer={"name": "Anytown Trust", "id": "GB-COH-01234567"})
    assert plan_of(tmp_path, release, Options(unknown_buyers="org-id")).plan_id == "GB-COH-01234567:ocds-x-1"
    assert plan_of(tmp_path, release, Options(authority="E09000015")).authority == "E09000015"


def test_an_identifier_of_the_file_alone_is_never_an_authority(tmp_path: Path) -> None:
    release = notice(buyer={"name": "Anytown Trust", "id": "org-7"})
    (refusal,) = rejected(reads_of(tmp_path, release, Options(unknown_buyers="org-id")))
    assert "nothing outside this file" in refusal.reason


def test_one_authority_stands_for_one_unknown_buyer(tmp_path: Path) -> None:
    notices = [notice(buyer={"name": "Anytown Trust"}), notice(buyer={"name": "Other Trust"}), NOTICE]
    reads = reads_of(tmp_path, {"releases": notices}, Options(authority="E09000015"))
    assert len(rejected(reads)) == 3


@pytest.mark.parametrize(
    "buyer",
    [
        {"name": "Derby Council"},
        {"name": "DERBY CITY COUNCIL &amp; partners", "id": "GB-LAE-DER"},
        {"name": "Derby City Council, Procurement Team"},
    ],
)
def test_a_council_is_known_under_other_names_and_codes(tmp_path: Path, buyer: dict[str, str]) -> None:
    assert plan_of(tmp_path, notice(buyer=buyer)).authority == "E06000015"


def test_an_identifier_is_learned_from_a_notice_that_names_its_owner(tmp_path: Path) -> None:
    named = notice() | {"parties": [{"id": "GB-PPON-AAAA-1111-BBBB", "name": "Derby City Council", "roles": ["buyer"]}]}
    unnamed = notice(buyer={"id": "GB-PPON-AAAA-1111-BBBB", "name": "Corporate Procurement"}) | {"ocid": "ocds-x-2"}
    plans = accepted(reads_of(tmp_path, {"releases": [unnamed, named]}))
    assert [plan.plan_id for plan in plans] == ["E06000015:ocds-x-2", "E06000015:ocds-x-1"]


def test_an_identifier_that_two_councils_use_means_neither(tmp_path: Path) -> None:
    identifier = "GB-PPON-AAAA-1111-BBBB"
    owners = [
        notice() | {"ocid": f"ocds-x-{name}", "parties": [{"id": identifier, "name": name, "roles": ["supplier"]}]}
        for name in ("Derby City Council", "Luton")
    ]
    unnamed = notice(buyer={"id": identifier, "name": "Corporate Procurement"})
    (refusal,) = rejected(reads_of(tmp_path, {"releases": [*owners, unnamed]}))
    assert refusal.field == "buyer"


def test_an_unknown_council_gets_no_second_identity(tmp_path: Path) -> None:
    release = notice(buyer={"name": "Atlantis Borough Council", "id": "GB-COH-01234567"})
    (refusal,) = rejected(reads_of(tmp_path, release, Options(unknown_buyers="org-id")))
    assert "--authority CODE" in refusal.reason
    assert "org-id" not in refusal.reason
