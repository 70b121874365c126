"""Between the wire, the engine and the store: the only place that knows two of them at once.

It is also where sharing is honoured: whatever leaves goes through `opportunity_state`, and where either plan
is not shared openly that says no more than authority, window, region and band.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, cast
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from events import opportunities as wire
from events.envelope import Event
from events.fields import Window as WireWindow
from events.plans import PlanAwarded, PlanPayload, PlanState, PlanWithdrawn
from matching.assessment import Assessment, Component
from matching.engine import Generation
from matching.plan import Kind, Plan, Sharing, Stage, Status, Window
from matching.reference import authority as known_authority
from services.store.plans import PlanRow, Revision, StoredPlan

LONDON: Final = ZoneInfo("Europe/London")
_NAMESPACE: Final = UUID("5f1f4d6e-6a0e-5d0b-9a57-0c6b1f1f6a3d")


def today(fixed: date | None) -> date:
    """The day as of which plans are judged: a fixed one, or today in the United Kingdom."""
    return fixed or datetime.now(LONDON).date()


def content_hash(kind: str, content: Mapping[str, Any]) -> str:
    """A hash over an event's type and its canonical, validated content."""
    canonical = json.dumps([kind, content], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def event_id(*parts: str | int) -> str:
    """An event id that is the same whenever the same thing is said again."""
    return str(uuid5(_NAMESPACE, "\n".join(str(part) for part in parts)))


def text_hash(text: str) -> str:
    """The key under which a text's embedding is kept."""
    return hashlib.sha256(text.encode()).hexdigest()


def opportunity_id(plan_a: str, plan_b: str) -> str:
    """The identity of a pair of plans, in either order."""
    return hashlib.sha256("\n".join(sorted((plan_a, plan_b))).encode()).hexdigest()[:32]


def plan_from_payload(payload: PlanState, status: Status = Status.ACTIVE) -> Plan:
    """The engine's plan from the wire's. A value in another currency than pounds counts as unknown."""
    value = payload.value
    return Plan(
        plan_id=payload.plan_id,
        revision=payload.revision,
        authority=payload.authority,
        title=payload.title,
        description=payload.description,
        kind=Kind(payload.kind),
        stage=Stage(payload.stage),
        status=status,
        cpv=payload.cpv,
        value=value.amount if value and value.currency == "GBP" else None,
        tender_window=Window(payload.tender_window.earliest, payload.tender_window.latest),
        contract_start=payload.contract.start,
        contract_end=payload.contract.end,
        extension_months=payload.contract.extension_months,
        regions=payload.regions,
        sharing=Sharing(payload.sharing),
        procurement=payload.procurement,
    )


def plan_from_store(stored: StoredPlan | PlanRow) -> Plan | None:
    """The engine's plan as it stands, or None where only its withdrawal was ever seen."""
    if stored.state is None:
        return None
    state = PlanState.model_validate({**stored.state, "revision": stored.revision})
    return plan_from_payload(state, Status(stored.status))


def revision_from_event(event: Event, origin: Mapping[str, Any]) -> Revision:
    """What the store keeps of a validated plan event."""
    payload = cast(PlanPayload, event.payload)
    content = payload.model_dump(mode="json")
    state = content if isinstance(payload, PlanState) else None
    status = _status_after(payload)
    shared = isinstance(payload, PlanState) and payload.sharing != "private"
    return Revision(
        plan_id=payload.plan_id,
        authority=payload.authority,
        revision=payload.revision,
        event_id=event.id,
        event_type=event.type,
        content_hash=content_hash(event.type, content),
        payload=content,
        origin=origin,
        status=status.value,
        searchable=status is Status.ACTIVE and shared,
        state=state,
        published_at=event.time,
        traceparent=event.traceparent,
    )


def opportunity_state(
    assessment: Assessment,
    plans: tuple[Plan, Plan],
    *,
    status: str,
    band: wire.Band,
    revisions: tuple[int, int],
    as_of: date,
    generation: Generation,
    withdrawn_because: Sequence[str] = (),
) -> wire.OpportunityState:
    """The payload of an opportunity event. `plans` in the order of the assessment; `revisions`: own, material."""
    open_ = all(plan.sharing is Sharing.OPEN for plan in plans)
    common = assessment.common_window
    return wire.OpportunityState(
        opportunity_id=opportunity_id(*assessment.plans),
        revision=revisions[0],
        material_revision=revisions[1],
        status="active" if status == "active" else "withdrawn",
        band=band,
        score=assessment.score if open_ else None,
        plans=(_side(plans[0], open_), _side(plans[1], open_)),
        components=_components(assessment) if open_ else None,
        reasons=_reasons(assessment, status, open_, withdrawn_because),
        would_change=assessment.would_change if open_ else (),
        common_window=WireWindow(earliest=common.earliest, latest=common.latest) if common else None,
        # The last day to join tells of the lead time, and that of the category.
        join_by=assessment.join_by if open_ else None,
        assessed_as_of=as_of,
        generation=wire.Generation(policy=generation.policy, statistics=generation.statistics, model=generation.model),
    )


def redacted(payload: Mapping[str, Any]) -> dict[str, Any]:
    """An opportunity's payload with no more in it than two plans show of which one is not shared openly."""
    sides = [{**side, "title": None, "plan_id": None, "revision": None} for side in payload["plans"]]
    return {**payload, "plans": sides, "score": None, "components": None, "would_change": [], "join_by": None}


@dataclass(frozen=True, slots=True)
class Cause:
    """The plan event from which something follows: its CloudEvents id, and the trace that it belongs to."""

    event_id: str
    traceparent: str | None = None


def opportunity_event(state: wire.OpportunityState, change: str, cause: Cause | None) -> Event:
    """The event that tells of an opportunity's state; `change` is identified, updated or withdrawn."""
    kinds: dict[str, type[wire.OpportunityPayload]] = {
        "identified": wire.OpportunityIdentified,
        "updated": wire.OpportunityUpdated,
        "withdrawn": wire.OpportunityWithdrawn,
    }
    payload_type = kinds[change]
    # The same fields, validated already.
    payload = payload_type.model_construct(**{name: getattr(state, name) for name in payload_type.model_fields})
    return Event(
        id=event_id("opportunity", state.opportunity_id, state.revision),
        type=payload_type.type,
        source="/matcher",
        subject=state.opportunity_id,
        time=datetime.now(UTC),
        payload=payload,
        traceparent=cause.traceparent if cause else None,
        causation_id=cause.event_id if cause else None,
    )


def authority_name(code: str) -> str:
    """What people call an authority; its code where the register of authorities does not know it."""
    found = known_authority(code)
    return found.name if found else code


def _status_after(payload: PlanPayload) -> Status:
    if isinstance(payload, PlanWithdrawn):
        return Status.WITHDRAWN
    return Status.AWARDED if isinstance(payload, PlanAwarded) else Status.ACTIVE


def _side(plan: Plan, open_: bool) -> wire.PlanSide:
    window = plan.tender_window
    return wire.PlanSide(
        plan_id=plan.plan_id if open_ else None,
        revision=plan.revision if open_ else None,
        authority=plan.authority,
        authority_name=authority_name(plan.authority),
        title=plan.title if open_ else None,
        sharing=plan.sharing.value,
        tender_window=WireWindow(earliest=window.earliest, latest=window.latest),
        regions=plan.regions,
    )


def _components(assessment: Assessment) -> wire.Components:
    return wire.Components(
        specification=_component(assessment.specification),
        timing=_component(assessment.timing),
        region=_component(assessment.region),
        value=_component(assessment.value),
    )


def _component(component: Component) -> wire.Component:
    return wire.Component.model_validate({"value": component.value, "saw": dict(component.saw)})


def _reasons(assessment: Assessment, status: str, open_: bool, withdrawn_because: Sequence[str]) -> tuple[str, ...]:
    if status != "active":
        return tuple(withdrawn_because) if open_ else ("The two plans no longer match.",)
    if open_:
        return assessment.reasons
    return ("One of the two authorities shares only that there is a match; ask each other for the details.",)
