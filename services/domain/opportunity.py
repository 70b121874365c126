"""The state machine of an opportunity: how an assessment changes a pair of plans. Pure.

| status | assessment | next status | event |
|---|---|---|---|
| none | no opportunity | none | none |
| none | opportunity | active | identified |
| active | opportunity, same content | active | none |
| active | opportunity, other content | active | updated |
| active | no opportunity, or a plan is private now | withdrawn | withdrawn |
| withdrawn | no opportunity | withdrawn | none |
| withdrawn | opportunity | active | identified |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Protocol

from events.opportunities import OpportunityState
from matching.assessment import Assessment
from matching.engine import Generation
from matching.plan import Plan
from services.domain.disclosure import include_private, opportunity_state, redact_opportunity
from services.domain.ids import IdKey, event_content_hash, opportunity_id
from services.domain.materiality import is_material, to_last_notified
from services.domain.opportunity_events import Cause, EventKind
from services.domain.opportunity_status import OpportunityStatus

_NOT_CONTENT: Final = frozenset({"revision", "material_revision", "assessed_as_of", "would_change"})
NO_LONGER: Final = "The two plans no longer match."
BELOW_THRESHOLD: Final = "The two plans no longer match closely enough to be worth an approach."


@dataclass(frozen=True, slots=True)
class AssessedPair:
    """One assessed pair; its plans are in the assessment's order."""

    plans: tuple[Plan, Plan]
    assessment: Assessment
    cause: Cause | None


@dataclass(frozen=True, slots=True)
class SettlementContext:
    """The values shared by all pairs of a settlement. `causes`: the event that brought each plan's revision."""

    as_of: date
    generation: Generation
    id_key: IdKey
    causes: Mapping[str, Cause] = field(default_factory=dict)


class CurrentState(Protocol):
    """An existing opportunity: the columns of its row that decide the next state."""

    @property
    def revision(self) -> int: ...
    @property
    def material_revision(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def band(self) -> str: ...
    @property
    def payload(self) -> Mapping[str, Any]: ...
    @property
    def last_notified(self) -> Mapping[str, Any]: ...
    @property
    def content_hash(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Transition:
    """New values of columns, and the event that publishes them; no event if only the assessment is newer."""

    columns: Mapping[str, Any]
    state: OpportunityState | None = None
    kind: EventKind | None = None


def next_state(current: CurrentState | None, pair: AssessedPair, context: SettlementContext) -> Transition | None:
    """The transition of a pair after an assessment; None if nothing is to be written."""
    assessment = pair.assessment
    was_active = current is not None and current.status == OpportunityStatus.ACTIVE
    status = OpportunityStatus.ACTIVE if assessment.is_opportunity else OpportunityStatus.WITHDRAWN
    if status is OpportunityStatus.WITHDRAWN and not was_active:
        return None
    if current is not None and include_private(*pair.plans):
        # The plan is no longer shared: publish nothing newer than the last event did.
        return withdrawal(current, NO_LONGER, hide=True)
    material = current is None or is_material(current.last_notified, assessment, status)
    state = _assessed_state(current, pair, status, material, context)
    columns: dict[str, Any] = {
        "assessed_as_of": context.as_of,
        "review_on": assessment.review_on,
        "revision_a": pair.plans[0].revision,
        "revision_b": pair.plans[1].revision,
        "generation": context.generation.id,
        # For match_only plans the score is not part of the content: it may change when nothing published does.
        "score": assessment.score,
    }
    content = state_columns(state)
    if current is not None and content["content_hash"] == current.content_hash:
        return Transition(columns)
    if material:
        columns["last_notified"] = to_last_notified(assessment, status)
    return Transition({**columns, **content}, state, event_kind(was_active, status))


def withdrawal(current: CurrentState, sentence: str, *, hide: bool = False) -> Transition:
    """Withdraw an opportunity without a new assessment.

    The event repeats the last published facts of the plans; `hide` removes their titles and all details.
    """
    state = withdrawn_state(current, sentence, material=True, hide=hide)
    columns = {
        "last_notified": {**current.last_notified, "status": OpportunityStatus.WITHDRAWN.value},
        **state_columns(state),
    }
    return Transition(columns, state, EventKind.WITHDRAWN)


def withdrawn_state(current: CurrentState, sentence: str, *, material: bool, hide: bool = False) -> OpportunityState:
    """The next revision of an opportunity: withdrawn without an assessment, with the sentence as its reason."""
    content = {
        **current.payload,
        "status": OpportunityStatus.WITHDRAWN.value,
        "reasons": [sentence],
        "revision": current.revision + 1,
        "material_revision": current.material_revision + int(material),
    }
    return OpportunityState.model_validate(redact_opportunity(content) if hide else content)


def stripped_state(payload: Mapping[str, Any]) -> OpportunityState:
    """An ended opportunity's state without the contents of its plans, at the same revision."""
    sides = [{**side, "title": None} for side in payload["plans"]]
    details = {"plans": sides, "score": None, "components": None, "would_change": []}
    return OpportunityState.model_validate({**payload, **details, "reasons": [NO_LONGER]})


def state_columns(state: OpportunityState) -> dict[str, Any]:
    """The columns of a row that repeat its state."""
    payload = state.model_dump(mode="json")
    return {
        "revision": state.revision,
        "material_revision": state.material_revision,
        "status": state.status,
        "band": state.band,
        "payload": payload,
        "content_hash": _payload_content_hash(payload),
    }


def state_content_hash(state: OpportunityState) -> str:
    """The hash of a state's content."""
    return _payload_content_hash(state.model_dump(mode="json"))


def event_kind(was_active: bool, status: str) -> EventKind:
    """The event for a change of status."""
    if status == OpportunityStatus.WITHDRAWN:
        return EventKind.WITHDRAWN
    return EventKind.UPDATED if was_active else EventKind.IDENTIFIED


def _payload_content_hash(payload: Mapping[str, Any]) -> str:
    """Hash all but the counters, the day of the assessment, and fields that can change with the day alone."""
    content = {name: value for name, value in payload.items() if name not in _NOT_CONTENT}
    return event_content_hash("opportunity", content)


def _assessed_state(
    current: CurrentState | None,
    pair: AssessedPair,
    status: OpportunityStatus,
    material: bool,
    context: SettlementContext,
) -> OpportunityState:
    assessment = pair.assessment
    band = assessment.band.value
    if status is OpportunityStatus.WITHDRAWN and current is not None:
        band = current.band  # a withdrawn opportunity keeps its last published band
    revision, material_revision = (current.revision, current.material_revision) if current else (0, 0)
    return opportunity_state(
        opportunity_id(context.id_key, *assessment.plans),
        assessment,
        pair.plans,
        status=status,
        band=band,  # type: ignore[arg-type]
        revisions=(revision + 1, material_revision + int(material)),
        as_of=context.as_of,
        generation=context.generation,
        withdrawn_because=tuple(gate.sentence for gate in assessment.gates) or (BELOW_THRESHOLD,),
    )
