"""What is refused of new events beyond the schema, and which spellings of an authority are one."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from events.dead_letters import DeadLetterReason
from events.fields import MAX_REVISION, canonical_authority
from events.limits import find_excess, max_revision
from events.plans import PlanPublished, PlanWithdrawn
from events.topics import authority_of, authority_topic
from matching.reference import authority

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
SECONDS = int(NOW.timestamp())


def plan(**fields: Any) -> PlanPublished:
    content: dict[str, Any] = {
        "plan_id": "E09000015:ICT-1",
        "revision": 1,
        "authority": "E09000015",
        "title": "Payroll",
        "kind": "renewal",
        "tender_window": {"earliest": "2027-03-01", "latest": "2027-06-30"},
    }
    return PlanPublished.model_validate(content | fields)


@pytest.mark.parametrize(
    "revision", [1, 2, 3, SECONDS, SECONDS * 1000, SECONDS * 1_000_000, (SECONDS + 86_000) * 1_000_000]
)
def test_counters_and_times_up_to_tomorrow_are_revisions(revision: int) -> None:
    assert find_excess(plan(revision=revision), NOW) is None


@pytest.mark.parametrize("revision", [max_revision(NOW) + 1, 4 * 10**15, MAX_REVISION])
def test_a_revision_that_nothing_could_follow_is_refused(revision: int) -> None:
    ended = PlanWithdrawn(plan_id="E09000015:ICT-1", revision=revision, authority="E09000015")
    for payload in (plan(revision=revision), ended):
        excess = find_excess(payload, NOW)
        assert excess is not None
        assert (excess.reason, excess.field) == (DeadLetterReason.REVISION_TOO_HIGH, "revision")


@pytest.mark.parametrize(
    ("earliest", "latest", "taken"),
    [
        ("2027-03-01", "2037-03-01", True),
        ("2027-03-01", "2037-03-02", False),
        ("2028-02-29", "2038-02-28", True),
        ("2028-02-29", "2038-03-01", False),
        ("2000-01-01", "2000-01-01", True),
        ("1999-12-31", "2000-01-01", False),
        ("2100-12-31", "2100-12-31", True),
        ("2100-12-31", "2101-01-01", False),
        (str(date.min), str(date.min), False),
        (str(date.max), str(date.max), False),
    ],
)
def test_a_window_is_of_this_century_and_of_ten_years_at_most(earliest: str, latest: str, taken: bool) -> None:
    excess = find_excess(plan(tender_window={"earliest": earliest, "latest": latest}), NOW)
    assert (excess is None) is taken
    assert excess is None or (excess.reason, excess.field) == (DeadLetterReason.INVALID_PAYLOAD, "tender_window")


@pytest.mark.parametrize("code", ["E09000015", "e09000015"])
def test_spellings_that_differ_in_case_are_one_authority(code: str) -> None:
    payload = plan(plan_id=f"{code}:Ict-1", authority="e09000015")
    assert (payload.plan_id, payload.authority) == ("E09000015:Ict-1", "E09000015")
    assert authority(payload.authority) is not None
    assert authority_of(authority_topic(code)) == "E09000015"


@pytest.mark.parametrize(
    ("code", "canonical"),
    [
        ("e09000015", "E09000015"),
        ("gb-ppon-pdtl-7248-gwzw", "GB-PPON-PDTL-7248-GWZW"),
        ("gb-lae-lds", "GB-LAE-LDS"),
        ("GB-X-home-office", "GB-X-home-office"),
        ("gb-x-home-office", "GB-X-home-office"),
        ("somebody", "somebody"),
    ],
)
def test_a_code_is_read_as_its_list_writes_it(code: str, canonical: str) -> None:
    assert canonical_authority(code) == canonical
