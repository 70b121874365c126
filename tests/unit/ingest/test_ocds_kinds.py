"""What notices of public portals do, kind by kind: changed fields only, joint buyers, lots, later notices."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from events.plans import PlanAwarded, PlanUpdated, PlanWithdrawn
from services.ingest.entries import AcceptedEntry, Entry, Options, SkippedEntry
from tests.unit.ingest import SHARED, accepted, rejected
from tests.unit.ingest.notices import NOTICE, notice, plan_of, planned, reads_of

TRIALS = SHARED / "trials"
DERBY = {"id": "p1", "name": "Derby City Council", "roles": ["buyer"]}
LUTON = {"id": "p2", "name": "Luton Borough Council", "roles": ["buyer"]}
PLAN_NOTICE = {"documents": [{"id": "1", "noticeType": "UK3"}]}


def trial(name: str) -> Any:
    if not TRIALS.is_dir():
        pytest.skip("the trials are not beside the repository")
    (file,) = TRIALS.glob(f"{name}-*.json")
    return json.loads(file.read_bytes())


def of_trial(tmp_path: Path, name: str) -> list[Any]:
    reads = reads_of(tmp_path, trial(name))
    assert not rejected(reads), rejected(reads)
    return accepted(reads)


def skipped(reads: list[Entry]) -> list[str]:
    return [read.reason for read in reads if isinstance(read, SkippedEntry)]


def later(tender: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A release that changes NOTICE and repeats nothing else."""
    return (
        {"ocid": NOTICE["ocid"], "id": "2", "date": "2027-04-02T09:00:00Z", "tag": ["planningUpdate"]}
        | changes
        | {"tender": tender}
    )


# Updates that carry changed fields only


def test_trial_33_an_update_keeps_what_it_does_not_mention(tmp_path: Path) -> None:
    first, second = of_trial(tmp_path, "33")
    assert (second.value, second.cpv, second.regions, second.description) == (
        first.value, first.cpv, first.regions, first.description
    )  # fmt: skip
    assert second.tender_window.latest > first.tender_window.latest
    assert second.revision > first.revision


@pytest.mark.parametrize("order", [1, -1])
def test_an_update_is_merged_with_what_the_file_knows_in_any_order(tmp_path: Path, order: int) -> None:
    releases = [notice({"value": {"amount": 7000}}), later({"title": "Case management and forms"})]
    plans = accepted(reads_of(tmp_path, {"releases": releases[::order]}))
    assert [plan.title for plan in plans] == ["Case management", "Case management and forms"]
    assert [plan.value.amount for plan in plans] == [7000, 7000]
    assert isinstance(plans[1], PlanUpdated)


def test_updates_on_lines_of_their_own_are_merged_in_turn(tmp_path: Path) -> None:
    second = later({"value": {"amount": 9000}})
    third = later({"description": "In two languages"}, id="3", date="2027-05-02T09:00:00Z")
    lines = "\n".join(json.dumps(release) for release in (NOTICE, second, third))
    plan = accepted(reads_of(tmp_path, lines.encode()))[-1]
    assert (plan.value.amount, plan.description, plan.cpv) == (9000, "In two languages", ("48000000",))


@pytest.mark.parametrize(
    "document",
    [
        {"releases": [later({"title": "Case management", "value": {"amount": 5}}, buyer=NOTICE["buyer"])]},
        {"records": [{"ocid": NOTICE["ocid"], "releases": [later({"title": "Case"}, buyer=NOTICE["buyer"])]}]},
        {"releases": [later({"title": "Case"}, buyer=NOTICE["buyer"], tag=["tenderAmendment"])]},
    ],
)
def test_changed_fields_alone_are_refused_with_what_to_publish(tmp_path: Path, document: dict[str, Any]) -> None:
    (refusal,) = rejected(reads_of(tmp_path, document))
    assert refusal.plan_id == "E06000015:ocds-x-1"
    assert "publish the record" in refusal.reason


def test_a_cancellation_of_a_plan_that_the_file_does_not_hold_is_read(tmp_path: Path) -> None:
    release = later({"status": "cancelled"}, buyer=NOTICE["buyer"], tag=["tenderUpdate"])
    assert isinstance(plan_of(tmp_path, release), PlanWithdrawn)


def test_trial_55_a_field_that_was_deleted_is_gone(tmp_path: Path) -> None:
    (plan,) = of_trial(tmp_path, "55")
    assert plan.value is None
    assert plan.cpv == ("50712000",)


# Joint notices


def test_trial_35_a_cancellation_withdraws_each_buyers_plan(tmp_path: Path) -> None:
    plans = of_trial(tmp_path, "35")
    assert {type(plan) for plan in plans} == {PlanWithdrawn}
    assert {plan.authority for plan in plans} == {"E08000035", "E08000032"}


@pytest.mark.parametrize("buyer", [{"id": "p1"}, {"name": "Derby City Council"}, None])
def test_each_buyer_has_its_plan_and_all_are_one_procurement(tmp_path: Path, buyer: dict[str, str] | None) -> None:
    plans = accepted(reads_of(tmp_path, notice(buyer=buyer, parties=[DERBY, LUTON])))
    assert [plan.plan_id for plan in plans] == ["E06000015:ocds-x-1", "E06000032:ocds-x-1"]
    assert {plan.procurement for plan in plans} == {"ocds-x-1"}


def test_a_buyer_that_stands_twice_has_one_plan(tmp_path: Path) -> None:
    again = {"id": "p3", "name": "Derby City Council - Legal", "roles": ["buyer", "reviewBody"]}
    assert len(accepted(reads_of(tmp_path, notice(parties=[DERBY, again])))) == 1


def test_an_unknown_buyer_leaves_the_others_their_plans(tmp_path: Path) -> None:
    stranger = {"id": "p4", "name": "Anytown Trust", "roles": ["buyer"]}
    (read,) = reads_of(tmp_path, notice(parties=[DERBY, stranger]))
    assert isinstance(read, AcceptedEntry)
    assert any("not known" in note for note in read.notes)


def test_one_buyer_of_a_joint_notice_publishes_only_its_own_plan(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, notice(parties=[DERBY, LUTON]), Options(authority="E06000032"))
    assert plan.authority == "E06000032"


# Windows never before their notice, nor before the market engagement ends


def test_trial_30_the_window_opens_when_the_engagement_ends(tmp_path: Path) -> None:
    (plan,) = of_trial(tmp_path, "30")
    assert (plan.tender_window.earliest, plan.tender_window.latest) == (date(2026, 9, 21), date(2026, 10, 2))


def _engaged(until: str, **tender: Any) -> dict[str, Any]:
    return planned(**tender) | {"planning": {"milestones": [{"type": "engagement", "dueDate": until}]}}


@pytest.mark.parametrize(
    ("release", "window"),
    [
        # The contract starts so soon that its usual window is over.
        (planned(contractPeriod={"startDate": "2027-05-01"}), ("2027-03-02", "2027-04-30")),
        (planned(contractPeriod={"startDate": "2027-08-01"}), ("2027-03-02", "2027-05-01")),
        (_engaged("2027-09-30", contractPeriod={"startDate": "2027-12-01"}), ("2027-09-30", "2027-11-30")),
        (_engaged("2028-02-29", communication={"futureNoticeDate": "2028-01-17"}), ("2028-02-29", "2028-04-17")),
        (_engaged("2027-01-31"), ("2027-03-02", "2027-07-31")),
        (planned(tenderPeriod={"startDate": "2027-01-10", "endDate": "2027-04-10"}), ("2027-03-02", "2027-04-10")),
        # A contract that began before the notice says nothing of the tender.
        (_engaged("2027-03-31", contractPeriod={"startDate": "2027-01-01"}), ("2027-03-31", "2027-09-30")),
    ],
)
def test_no_window_opens_before_its_notice(tmp_path: Path, release: dict[str, Any], window: tuple[str, str]) -> None:
    found = plan_of(tmp_path, release).tender_window
    assert (str(found.earliest), str(found.latest)) == window


def test_a_tender_is_open_from_the_notice_that_announced_it(tmp_path: Path) -> None:
    documents = [{"id": "1", "noticeType": "UK4", "datePublished": "2027-02-10T00:00:00Z"}]
    period = {"startDate": "2027-01-01", "endDate": "2027-04-01"}
    plan = plan_of(tmp_path, notice({"documents": documents, "tenderPeriod": period}, tag=["tender"]))
    assert str(plan.tender_window.earliest) == "2027-02-10"


# Whole countries are what portals fill in by themselves


def test_trial_32_the_whole_country_is_no_region(tmp_path: Path) -> None:
    (plan,) = of_trial(tmp_path, "32")
    assert plan.regions == ()


@pytest.mark.parametrize(
    ("names", "regions"),
    [
        (["UK"], ()),
        (["United Kingdom", "GB", "England", "Great Britain"], ()),
        (["UK", "UKF11"], ("TLF11",)),
        ([f"UK{letter}" for letter in "CDEFGHIJK"], ()),
        ([f"UK{letter}" for letter in "CDEFGHIJKLMN"], ()),
        (["UKD", "UKE"], ("TLD", "TLE")),
    ],
)
def test_regions_that_say_nothing_are_left_out(tmp_path: Path, names: list[str], regions: tuple[str, ...]) -> None:
    items = [{"id": "1", "deliveryAddresses": [{"region": name} for name in names]}]
    assert plan_of(tmp_path, notice({"items": items})).regions == regions


# Lots that were given up


def test_trial_40_a_cancelled_lot_counts_for_nothing(tmp_path: Path) -> None:
    (plan,) = of_trial(tmp_path, "40")
    assert (plan.value.amount, plan.contract.start, plan.contract.end) == (100_000, date(2028, 1, 2), date(2030, 1, 1))
    assert plan.cpv == ("50712000",)


@pytest.mark.parametrize("status", ["cancelled", "withdrawn", "unsuccessful"])
def test_the_lots_that_live_say_what_is_bought(tmp_path: Path, status: str) -> None:
    lots = [
        {"id": "1", "status": status, "value": {"amount": 900}, "contractPeriod": {"startDate": "2027-04-01"}},
        {"id": "2", "status": "planned", "value": {"amount": 70}, "contractPeriod": {"startDate": "2029-04-01"}},
    ]
    items = [
        {"id": "1", "relatedLot": "1", "classification": {"scheme": "CPV", "id": "30200000"}},
        {"id": "2", "relatedLot": "2", "classification": {"scheme": "CPV", "id": "72000000"}},
    ]
    plan = plan_of(tmp_path, notice({"lots": lots, "items": items, "value": {"amount": 970}}))
    assert (plan.value.amount, plan.contract.start) == (70, date(2029, 4, 1))
    assert plan.cpv == ("48000000", "72000000")


def test_the_whole_value_stays_where_lots_have_none(tmp_path: Path) -> None:
    lots = [{"id": "1", "status": "cancelled"}, {"id": "2", "status": "planned"}]
    assert plan_of(tmp_path, notice({"lots": lots, "value": {"amount": 970}})).value.amount == 970


def test_a_plan_of_which_every_lot_was_given_up_is_withdrawn(tmp_path: Path) -> None:
    lots = [{"id": "1", "status": "cancelled"}, {"id": "2", "status": "unsuccessful"}]
    plan = plan_of(tmp_path, notice({"lots": lots}))
    assert isinstance(plan, PlanWithdrawn)
    assert plan.reason == "The notice says that every lot was given up."


# One time stamp, two notices


@pytest.mark.parametrize("order", [1, -1])
def test_two_notices_of_one_second_are_both_read_by_their_numbers(tmp_path: Path, order: int) -> None:
    releases = [notice(id="037689-2027"), notice({"title": "Case management and forms"}, id="037690-2027")]
    plans = accepted(reads_of(tmp_path, {"releases": releases[::order]}))
    assert [plan.title for plan in plans] == ["Case management", "Case management and forms"]
    assert plans[0].revision + 1 == plans[1].revision


def test_two_notices_of_one_second_in_two_files_are_in_order(tmp_path: Path) -> None:
    first = plan_of(tmp_path, notice(id="037689-2027"))
    second = plan_of(tmp_path, notice({"title": "Case management and forms"}, id="037690-2027"))
    assert first.revision < second.revision


def test_two_notices_of_one_second_without_numbers_are_both_read(tmp_path: Path) -> None:
    releases = [notice(id="a"), notice({"title": "Case management and forms"}, id="b")]
    plans = accepted(reads_of(tmp_path, {"releases": releases}))
    assert len({plan.revision for plan in plans}) == 2


def test_trial_54_the_same_notice_twice_is_one(tmp_path: Path) -> None:
    first, second = of_trial(tmp_path, "54")
    assert first == second


# Notices of what comes after a purchase, or of none


def test_trial_42_a_dynamic_market_is_no_tender(tmp_path: Path) -> None:
    assert skipped(reads_of(tmp_path, trial("42"))) == [
        "notices of a dynamic market announce no purchase and were skipped"
    ]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        *((number, "performance") for number in (8, 9, 11, 17)),
        *((number, "dynamic market") for number in (13, 14, 15, 16)),
    ],
)
def test_other_notices_are_skipped_and_counted(tmp_path: Path, number: int, words: str) -> None:
    documents = [{"id": "1", "noticeType": f"UK{number}"}]
    (reason,) = skipped(
        reads_of(tmp_path, notice({"status": "active", "documents": documents}, tag=["implementation"]))
    )
    assert words in reason


def test_a_contract_s_performance_does_not_bring_its_plan_back(tmp_path: Path) -> None:
    award = later({"status": "complete"}, tag=["award"], awards=[{"id": "1", "status": "active"}])
    report = later({}, id="3", date="2028-04-02T09:00:00Z", tag=["implementation"])
    reads = reads_of(tmp_path, {"releases": [NOTICE, award, report]})
    assert isinstance(accepted(reads)[-1], PlanAwarded)
    assert len(skipped(reads)) == 1


def test_a_planned_procurement_follows_its_own_notice(tmp_path: Path) -> None:
    engaged = notice(planning={"documents": [{"id": "1", "noticeType": "UK2"}]})
    document = {"id": "2", "noticeType": "UK3"}
    plans = accepted(reads_of(tmp_path, {"releases": [engaged, later({}, planning={"documents": [document]})]}))
    assert [plan.stage for plan in plans] == ["engagement", "planned"]


# A plan lives until its last lot is decided


@pytest.mark.parametrize("name", ["57", "58"])
def test_trials_57_and_58_one_lot_does_not_end_the_plan(tmp_path: Path, name: str) -> None:
    (plan,) = of_trial(tmp_path, name)
    assert isinstance(plan, PlanUpdated)
    assert plan.cpv == ("50712000",)


LOTS = [{"id": "1", "status": "planned"}, {"id": "2", "status": "planned"}]


@pytest.mark.parametrize(
    ("lots", "awards", "model"),
    [
        (LOTS, [{"status": "active", "relatedLots": ["1"]}], PlanUpdated),
        (LOTS, [{"status": "unsuccessful", "relatedLots": ["2"]}], PlanUpdated),
        (LOTS, [{"status": "pending"}], PlanUpdated),
        (LOTS, [{"status": "active", "relatedLots": ["1"]}, {"status": "active", "relatedLots": ["2"]}], PlanAwarded),
        (
            LOTS,
            [{"status": "active", "relatedLots": ["1"]}, {"status": "cancelled", "relatedLots": ["2"]}],
            PlanAwarded,
        ),
        (LOTS, [{"status": "cancelled", "relatedLots": ["1", "2"]}], PlanWithdrawn),
        (LOTS, [{"status": "active"}], PlanAwarded),
        ([{"id": "1", "status": "complete"}, {"id": "2", "status": "cancelled"}], [], PlanAwarded),
        ([], [{"status": "pending"}], PlanUpdated),
    ],
)
def test_a_plan_lives_until_its_last_lot_is_decided(
    tmp_path: Path, lots: list[dict[str, Any]], awards: list[dict[str, Any]], model: type
) -> None:
    plan = plan_of(tmp_path, notice({"lots": lots}, tag=["award"], awards=awards))
    # Without awards of its own, a release that says "complete" is one of the plan's.
    assert type(plan) is model


# What else is found


def test_trial_37_a_value_with_vat_is_taken_with_a_note(tmp_path: Path) -> None:
    (read,) = reads_of(tmp_path, trial("37"))
    assert isinstance(read, AcceptedEntry)
    assert accepted([read])[0].value.amount == 600_000
    assert "a value that includes VAT was taken as it is" in read.notes


@pytest.mark.parametrize(
    "tender",
    [{"value": {"amount": 0, "amountGross": 120}}, {"lots": [{"id": "1", "value": {"amountGross": 120}}]}],
)
def test_a_value_with_vat_counts_where_there_is_no_other(tmp_path: Path, tender: dict[str, Any]) -> None:
    assert plan_of(tmp_path, notice(tender)).value.amount == 120


def test_trial_46_the_procuring_entity_buys_where_no_buyer_is_named(tmp_path: Path) -> None:
    (plan,) = of_trial(tmp_path, "46")
    assert plan.authority == "S12000049"


@pytest.mark.parametrize(
    ("release", "authority"),
    [
        (notice({"procuringEntity": {"name": "Luton Borough Council"}}, buyer=None), "E06000032"),
        (notice(buyer=None, parties=[LUTON | {"roles": ["procuringEntity"]}]), "E06000032"),
        # Whoever handles the procurement for a buyer is no buyer.
        (notice({"procuringEntity": {"name": "Luton Borough Council"}}), "E06000015"),
    ],
)
def test_who_buys_where_no_buyer_is_named(tmp_path: Path, release: dict[str, Any], authority: str) -> None:
    assert plan_of(tmp_path, release).authority == authority


def test_html_escapes_are_read_as_what_they_stand_for(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path, notice({"title": "Waste &amp; recycling", "description": "Bins &amp;amp; boxes &lt; 240 l"})
    )
    assert (plan.title, plan.description) == ("Waste & recycling", "Bins & boxes < 240 l")


def test_a_contract_of_so_many_days_ends_after_them(tmp_path: Path) -> None:
    lots = [{"id": "1", "contractPeriod": {"startDate": "2028-04-01", "durationInDays": 730}}]
    assert plan_of(tmp_path, notice({"lots": lots})).contract.end == date(2030, 3, 31)
