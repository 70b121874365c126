"""Pending writes of pairs: the next revisions of their rows, and the events that publish them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from events.cloudevents import encode
from events.opportunities import OpportunityState
from events.topics import OPPORTUNITIES
from services.domain.opportunity import (
    AssessedPair,
    SettlementContext,
    Transition,
    next_state,
    state_columns,
    stripped_state,
    withdrawal,
)
from services.domain.opportunity_events import Cause, EventKind, opportunity_event
from services.platform import metrics
from services.store import outbox
from services.store.bulk_writes import BulkWrites
from services.store.database import assign, now
from services.store.opportunities import Opportunity, build


@dataclass(slots=True)
class PendingWrites:
    """New or changed rows, and the messages that publish them."""

    rows: list[Opportunity] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)

    def add(self, other: "PendingWrites") -> None:
        """Append the pending writes of other pairs."""
        self.rows += other.rows
        self.messages += other.messages
        self.changes += other.changes

    def post(self, writes: BulkWrites) -> None:
        """Write the messages to the outbox, and count them."""
        outbox.append(writes, self.messages)
        for change in self.changes:
            metrics.PAIRS_WRITTEN.labels(change=change).inc()


def write_pair(
    pending: PendingWrites, row: Opportunity | None, key: str, pair: AssessedPair, context: SettlementContext
) -> None:
    """Add the write of one pair: nothing, a new row, or the next revision of its row, with its event."""
    transition = next_state(row, pair, context)
    if transition is not None:
        cause = _cause(row, pair)
        _apply(pending, _new_row(key, pair, now()) if row is None else row, transition, cause)


def withdraw(
    pending: PendingWrites, row: Opportunity, sentence: str, cause: Cause | None, *, hide: bool = False
) -> None:
    """Withdraw an opportunity without a new assessment. The caller holds both plans' locks and commits."""
    _apply(pending, row, withdrawal(row, sentence, hide=hide), cause)


def enqueue_event(pending: PendingWrites, state: OpportunityState, kind: EventKind, cause: Cause | None) -> None:
    """Add the event that publishes a state."""
    pending.changes.append(kind)
    event = opportunity_event(state, kind, cause, now())
    pending.messages.append(outbox.to_columns(OPPORTUNITIES.name, event.id, encode(event, state.opportunity_id)))


def strip_contents(row: Opportunity) -> OpportunityState:
    """Strip the contents of both plans from an ended opportunity, keeping its revision; return the new state."""
    state = stripped_state(row.payload)
    assign(row, state_columns(state))
    return state


def tombstone(row: Opportunity) -> dict[str, Any]:
    """Strip an ended opportunity; return the message that removes it from the compacted topic.

    The row stays: if the pair is found again, its revisions count on. The caller holds both plans' locks and commits.
    """
    strip_contents(row)
    row.tombstoned_at = now()
    return outbox.tombstone(OPPORTUNITIES.name, row.opportunity_id)


def _apply(pending: PendingWrites, row: Opportunity, transition: Transition, cause: Cause | None) -> None:
    assign(row, transition.columns)
    pending.rows.append(row)
    if transition.state is None or transition.kind is None:
        return
    row.causation_id = cause.event_id if cause else None
    row.tombstoned_at = None
    row.updated_at = now()
    enqueue_event(pending, transition.state, transition.kind, cause)


def _cause(row: Opportunity | None, pair: AssessedPair) -> Cause | None:
    """The plan event behind a change. None if both revisions were assessed before: then a day or a generation did it,
    and is nobody's act."""
    known = row is not None and [row.revision_a, row.revision_b] == [plan.revision for plan in pair.plans]
    return None if known else pair.cause


def _new_row(key: str, pair: AssessedPair, at: datetime) -> Opportunity:
    """Build a row before its first revision. It holds the pair's identity; the transition fills in the rest."""
    plan_a, plan_b = pair.plans
    return build(
        {
            "opportunity_id": key,
            "plan_a": plan_a.plan_id,
            "plan_b": plan_b.plan_id,
            "authority_a": plan_a.authority,
            "authority_b": plan_b.authority,
            "revision_a": plan_a.revision,
            "revision_b": plan_b.revision,
            "revision": 0,
            "material_revision": 0,
            "status": "new",
            "score": 0.0,
            "band": "feed",
            "payload": {},
            "last_notified": {},
            "content_hash": "",
            "causation_id": None,
            "generation": "",
            "assessed_as_of": at.date(),
            "review_on": None,
            "created_at": at,
            "updated_at": at,
            "tombstoned_at": None,
        }
    )
