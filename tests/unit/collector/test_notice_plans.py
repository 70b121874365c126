"""What becomes of the notices of a contracting process, one after the other."""

from datetime import date, datetime
from typing import Any

import pytest

from events.fields import Origin
from events.plans import PlanAwarded, PlanPayload, PlanPublished, PlanState, PlanUpdated, PlanWithdrawn
from services.collector.notice_plans import read_processes, to_publish, to_row
from services.collector.precedence import own_plan_for
from services.collector.releases import kept
from services.collector.sources import LONDON, find_a_tender
from services.local_stack.sample.notices import sample_notices
from tests.support.feeds import release

FTS = find_a_tender("https://feed.example")
TODAY = date(2026, 11, 29)
START = datetime(2026, 9, 1, 9, tzinfo=LONDON)


def events_of(*releases: dict[str, Any]) -> list[PlanPayload]:
    return [event for process in read_processes(FTS, releases, TODAY) for event in process.events]


def notice(day: int, kind: str, tag: str, **changes: Any) -> dict[str, Any]:
    made = release(1, START.replace(day=day), kind, tag=[tag])
    return made | {"id": f"{day:06}-2026"} | changes


def award(**period: Any) -> dict[str, Any]:
    contract = {"startDate": "2027-01-01", "endDate": "2029-12-31"} | period
    awards = [{"id": "1", "status": "active", "suppliers": [{"name": "Acme Ltd"}], "value": {"amount": 300_000}}]
    return notice(9, "UK6", "award", awards=[awards[0] | {"contractPeriod": contract}])


def test_a_planned_procurement_is_a_plan_marked_as_from_a_notice() -> None:
    (plan,) = events_of(release(1, START))
    assert isinstance(plan, PlanPublished)
    assert plan.plan_id == "E06000032:ocds-h6vhtk-000001"
    assert (plan.origin, plan.notice) == (
        Origin.NOTICE,
        "https://www.find-tender.service.gov.uk/Notice/000001-2026",
    )
    assert plan.revision < 2_000_000_000


def test_a_tender_notice_freezes_the_plan() -> None:
    (plan,) = events_of(release(1, START), notice(5, "UK4", "tender"))
    assert isinstance(plan, PlanState)
    assert plan.stage == "tendering"


def test_an_award_closes_the_plan_and_suggests_its_renewal() -> None:
    closed, renewal = events_of(release(1, START), award(maxExtentDate="2031-12-31"))
    assert isinstance(closed, PlanAwarded)
    assert isinstance(renewal, PlanPublished)
    assert renewal.plan_id == "E06000032:ocds-h6vhtk-000001.renewal"
    assert (renewal.origin, renewal.kind) == (Origin.DERIVED, "renewal")
    assert renewal.tender_window.earliest == date(2029, 4, 1)
    contract = renewal.current_contract
    assert contract
    assert (contract.supplier, contract.end, contract.extension_months) == ("Acme Ltd", date(2029, 12, 31), 24)
    assert contract.annual_value
    assert contract.annual_value.amount == 100_000


def test_a_contract_that_ends_too_soon_suggests_nothing() -> None:
    assert [type(event) for event in events_of(release(1, START), award(endDate="2027-02-01"))] == [PlanAwarded]


def test_a_contract_change_shows_the_extension() -> None:
    change = notice(20, "UK10", "contractAmendment", contracts=[{"id": "1", "period": {"endDate": "2031-12-31"}}])
    *_, renewal = events_of(release(1, START), award(), change)
    assert isinstance(renewal, PlanState)
    assert renewal.current_contract
    assert renewal.current_contract.end == date(2031, 12, 31)


def test_a_termination_withdraws_the_plan() -> None:
    (event,) = events_of(release(1, START), notice(7, "UK12", "tenderCancellation"))
    assert isinstance(event, PlanWithdrawn)


def test_a_stored_release_names_no_person() -> None:
    whole = release(1, START)
    assert "Jane" not in str(kept(whole))
    assert events_of(kept(whole)) == events_of(whole)


def test_only_news_is_published_and_revisions_rise() -> None:
    first = events_of(release(1, START))
    (plan,) = to_publish(first, {})
    known = {plan.plan_id: to_row(plan, "ocid")}
    assert to_publish(first, known) == []
    changed = events_of(release(1, START, title="x") | {"tender": release(2, START)["tender"]})
    (update,) = to_publish(changed, known)
    assert isinstance(update, PlanUpdated)
    assert update.revision == plan.revision + 1


def test_a_plan_that_was_never_published_need_not_be_ended() -> None:
    assert to_publish(events_of(notice(7, "UK12", "tenderCancellation")), {}) == []


GRIT = "Supplies of grit and brine to the county's highways depots"
OWN = {
    "plan_id": "E06000032:ICT-1",
    "revision": 1,
    "authority": "E06000032",
    "title": "Cafe and kitchen equipment 1",
    "kind": "new",
    "tender_window": {"earliest": "2027-06-01", "latest": "2027-07-31"},
}


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"title": "Café and kitchen equipment 1"}, True),
        ({"title": "Something else", "procurement": "ocds-h6vhtk-000001"}, True),
        ({"title": "Street lighting"}, False),
        ({"title": "Café and kitchen equipment 1", "value": {"amount": 7}}, True),
        ({"title": "Café and kitchen equipment 1", "authority": "E06000015", "plan_id": "E06000015:1"}, False),
        (
            {
                "title": "Café and kitchen equipment 1",
                "tender_window": {"earliest": "2029-06-01", "latest": "2029-07-31"},
            },
            False,
        ),
    ],
)
def test_an_authority_s_own_plan_of_the_same_purchase_counts(changes: dict[str, Any], same: bool) -> None:
    (plan,) = events_of(release(1, START))
    assert isinstance(plan, PlanState)
    own = PlanState.model_validate(OWN | changes)
    assert (own_plan_for(plan, [own]) is own) is same


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("Supply of winter grit for the county's depots", "County depots - the supply of winter grit", True),
        ("C118 - Supply of grit and brine to the county's highway depots", GRIT, True),
        ("Care and support framework, lot 1: north", "Care and support framework, lot 2: north", False),
        ("Marquees for the summer show on 29 July 2027", "Marquees for the summer show on 28 July 2028", False),
        ("Quay renewal phases 2 to 7: cost consultant", "Quay renewal phases 2 to 7: fire consultant", False),
    ],
)
def test_titles_that_differ_on_both_sides_are_two_purchases(one: str, two: str, same: bool) -> None:
    (plan,) = events_of(release(1, START))
    assert isinstance(plan, PlanState)
    own = PlanState.model_validate(OWN | {"title": one})
    assert (own_plan_for(plan.model_copy(update={"title": two}), [own]) is own) is same


def test_the_sample_s_notices_are_plans_of_known_councils() -> None:
    plans = events_of(*sample_notices(TODAY, START))
    assert [plan.authority for plan in plans] == ["E06000016", "E06000026", "E08000037"]
    assert all(isinstance(plan, PlanPublished) and plan.tender_window.earliest > TODAY for plan in plans)
