"""The topic of public notices takes plans that say so, and no others."""

from datetime import UTC, datetime

import pytest

from events.dead_letters import DeadLetterReason
from events.plans import PlanPublished, PlanWithdrawn
from events.topics import NOTICES, PLANS
from services.matcher.plan_decoding import PlanRecordAccepted, read
from services.messaging.signature_policy import RejectedRecord
from tests.pipeline import record_of

PLAN = PlanPublished.model_validate(
    {
        "plan_id": "E08000035:ocds-x-1",
        "revision": 1,
        "authority": "E08000035",
        "title": "Payroll",
        "kind": "new",
        "tender_window": {"earliest": "2027-06-01", "latest": "2027-09-30"},
    }
)


@pytest.mark.parametrize("origin", ["notice", "derived"])
def test_plans_of_notices_are_taken_from_their_topic(origin: str) -> None:
    record = record_of(PlanPublished.model_validate(PLAN.model_dump() | {"origin": origin}), topic=NOTICES.name)
    assert isinstance(read(record, datetime.now(UTC)), PlanRecordAccepted)


def test_nobody_speaks_as_the_authority_on_the_topic_of_notices() -> None:
    item = read(record_of(PLAN, topic=NOTICES.name), datetime.now(UTC))
    assert isinstance(item, RejectedRecord)
    assert item.reason is DeadLetterReason.TOPIC_MISMATCH
    assert isinstance(read(record_of(PLAN, topic=PLANS.name), datetime.now(UTC)), PlanRecordAccepted)


def test_endings_are_taken_from_it_as_well() -> None:
    ending = PlanWithdrawn(plan_id=PLAN.plan_id, revision=2, authority=PLAN.authority, reason="Cancelled")
    assert isinstance(read(record_of(ending, topic=NOTICES.name), datetime.now(UTC)), PlanRecordAccepted)
