"""What becomes of one pair: its row's next revision, and the event that tells of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from events.cloudevents import encode
from events.opportunities import OpportunityState
from events.topics import OPPORTUNITIES
from matching.assessment import Assessment
from matching.engine import Generation
from matching.plan import Plan, Sharing
from services.domain.disclosure import opportunity_state, redact_opportunity
from services.domain.ids import event_content_hash
from services.domain.materiality import is_material, to_last_notified
from services.domain.opportunity_events import Cause, opportunity_event
from services.platform import metrics
from services.store import outbox
from services.store.bulk_writes import BulkWrites
from services.store.database import now
from services.store.opportunities import Opportunity, OpportunityRow

_NOT_CONTENT: Final = frozenset({"revision", "material_revision", "assessed_as_of", "would_change"})
NO_LONGER: Final = "The two plans no longer match."
BELOW_THRESHOLD: Final = "The two plans no longer match closely enough to be worth an approach."

AnyRow = Opportunity | OpportunityRow


@dataclass(slots=True)
class PendingWrites:
    """What is to be written: rows, new or changed, and the messages that tell of them."""

    rows: list[AnyRow] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)

    def add(self, other: "PendingWrites") -> None:
        """What is to be written of another pair, behind what there is."""
        self.rows += other.rows
        self.messages += other.messages
        self.changes += other.changes

    def post(self, writes: BulkWrites) -> None:
        """Puts the messages into the outbox, and counts them."""
        outbox.append(writes, self.messages)
        for change in self.changes:
            metrics.PAIRS_WRITTEN.labels(change=change).inc()


@dataclass(frozen=True, slots=True)
class AssessedPair:
    """One judged pair, in the order of its assessment."""

    plans: tuple[Plan, Plan]
    assessment: Assessment
    cause: Cause | None


@dataclass(frozen=True, slots=True)
class SettlementContext:
    """What every pair of a settlement shares. `causes`: the event that brought each plan's revision."""

    as_of: date
    generation: Generation
    causes: Mapping[str, Cause] = field(default_factory=dict)


def withdraw(kept: PendingWrites, row: AnyRow, sentence: str, cause: Cause | None, *, hide: bool = False) -> None:
    """Withdraws an opportunity without a new judgement. The caller holds both plans and commits.

    What is said of the plans is what was said before; `hide` takes their titles and all details out of it.
    """
    state = withdrawn_state(row, sentence, material=True, hide=hide)
    row.told = {**row.told, "status": "withdrawn"}
    payload = state.model_dump(mode="json")
    apply_state(row, state, payload, payload_content_hash(payload), cause)
    kept.rows.append(row)
    enqueue_event(kept, state, "withdrawn", cause)


def withdrawn_state(row: AnyRow, sentence: str, *, material: bool, hide: bool = False) -> OpportunityState:
    """The next revision of an opportunity without a judgement: withdrawn, for the reason of the sentence."""
    content = {
        **row.payload,
        "status": "withdrawn",
        "reasons": [sentence],
        "revision": row.revision + 1,
        "material_revision": row.material_revision + int(material),
    }
    return OpportunityState.model_validate(redact_opportunity(content) if hide else content)


def _without_details(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What replaces all that speaks of the plans' contents."""
    sides = [{**side, "title": None} for side in payload["plans"]]
    return {"plans": sides, "score": None, "components": None, "would_change": []}


def strip_contents(row: Opportunity) -> OpportunityState:
    """Takes the contents of both plans out of an ended opportunity, at the revision that it has; the state left."""
    content = {**row.payload, **_without_details(row.payload), "reasons": [NO_LONGER]}
    state = OpportunityState.model_validate(content)
    row.payload = state.model_dump(mode="json")
    row.content_hash = payload_content_hash(row.payload)
    return state


def tombstone(row: Opportunity) -> dict[str, Any]:
    """Strips an ended opportunity; the message that has the topic forget it.

    The row stays, and a pair that is found again goes on counting. The caller holds both plans and commits.
    """
    strip_contents(row)
    row.tombstoned_at = now()
    return outbox.tombstone(OPPORTUNITIES.name, row.opportunity_id)


def write_pair(
    kept: PendingWrites, row: AnyRow | None, key: str, pair: AssessedPair, context: SettlementContext
) -> None:
    """One pair: nothing, a new row, or the next revision of the row it has, with its event."""
    assessment = pair.assessment
    status = "active" if assessment.is_opportunity else "withdrawn"
    if status != "active" and (row is None or row.status != "active"):
        return
    if row is not None and any(plan.sharing is Sharing.PRIVATE for plan in pair.plans):
        # Of a plan that is shared no longer, nothing newer may be told than what had been.
        withdraw(kept, row, NO_LONGER, pair.cause, hide=True)
        return
    if row is None:
        row = new_row(key, pair, context)
    kept.rows.append(row)
    before = row.status
    material = row.revision == 0 or is_material(row.told, assessment, status)
    state = build_state(row, pair, status, material, context)
    payload = state.model_dump(mode="json")
    row.assessed_as_of = context.as_of
    row.review_on = assessment.review_on
    row.revision_a, row.revision_b = (plan.revision for plan in pair.plans)
    row.generation = context.generation.id
    # Where not all is shared the score is not in the content: it may change when nothing that is told does.
    row.score = assessment.score
    content = payload_content_hash(payload)
    if content == row.content_hash:
        return
    if material:
        row.told = to_last_notified(assessment, status)
    change = event_kind(before, status)
    apply_state(row, state, payload, content, pair.cause)
    enqueue_event(kept, state, change, pair.cause)


def apply_state(
    row: AnyRow, state: OpportunityState, payload: dict[str, Any], content: str, cause: Cause | None
) -> None:
    """Moves a row to a state, of which `payload` is the JSON and `content` the fingerprint."""
    row.revision = state.revision
    row.material_revision = state.material_revision
    row.status = state.status
    row.band = state.band
    row.payload = payload
    row.content_hash = content
    row.causation_id = cause.event_id if cause else None
    row.tombstoned_at = None
    row.updated_at = now()


def enqueue_event(kept: PendingWrites, state: OpportunityState, change: str, cause: Cause | None) -> None:
    """Puts the event that tells of a state into the outbox."""
    kept.changes.append(change)
    event = opportunity_event(state, change, cause, now())
    kept.messages.append(outbox.to_columns(OPPORTUNITIES.name, event.id, encode(event, state.opportunity_id)))


def new_row(key: str, pair: AssessedPair, context: SettlementContext) -> OpportunityRow:
    """A row before its first revision."""
    plan_a, plan_b = pair.plans
    return OpportunityRow(
        opportunity_id=key,
        plan_a=plan_a.plan_id,
        plan_b=plan_b.plan_id,
        authority_a=plan_a.authority,
        authority_b=plan_b.authority,
        revision_a=plan_a.revision,
        revision_b=plan_b.revision,
        revision=0,
        material_revision=0,
        status="new",
        score=0.0,
        band="feed",
        payload={},
        told={},
        content_hash="",
        causation_id=None,
        generation=context.generation.id,
        assessed_as_of=context.as_of,
        review_on=None,
        created_at=now(),
        updated_at=now(),
    )


def build_state(
    row: AnyRow, pair: AssessedPair, status: str, material: bool, context: SettlementContext
) -> OpportunityState:
    """The next revision of a row, by what was judged."""
    assessment = pair.assessment
    gates = tuple(gate.sentence for gate in assessment.gates)
    return opportunity_state(
        assessment,
        pair.plans,
        status=status,
        # A withdrawn opportunity keeps the band in which it was last told.
        band=assessment.band.value if status == "active" else row.band,  # type: ignore[arg-type]
        revisions=(row.revision + 1, row.material_revision + int(material)),
        as_of=context.as_of,
        generation=context.generation,
        withdrawn_because=gates or (BELOW_THRESHOLD,),
    )


def event_kind(before: str, status: str) -> str:
    """Which event tells of a change of status: identified, updated or withdrawn."""
    if status != "active":
        return "withdrawn"
    return "updated" if before == "active" else "identified"


def state_content_hash(state: OpportunityState) -> str:
    """The fingerprint of a state's payload."""
    return payload_content_hash(state.model_dump(mode="json"))


def payload_content_hash(payload: Mapping[str, Any]) -> str:
    """The content that counts: all but the counters, the day of the judgement, and what may differ by the day alone."""
    return event_content_hash(
        "opportunity", {name: value for name, value in payload.items() if name not in _NOT_CONTENT}
    )
