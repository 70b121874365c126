"""Maps plans between the wire, the engine and the store."""

from collections.abc import Mapping
from typing import Any, cast

from events.cloudevents import Event
from events.plans import PlanAwarded, PlanPayload, PlanState, PlanWithdrawn
from matching.plan import Kind, Origin, Plan, Sharing, Stage, Status, Window
from services.domain.disclosure import is_matchable, sharing_of
from services.domain.ids import event_content_hash
from services.store.plan_log import PlanRevision
from services.store.plans import PlanRecord, PlanValues


def plan_from_payload(payload: PlanState, status: Status = Status.ACTIVE) -> Plan:
    """Convert a plan from the wire for the engine. A value in a currency other than pounds counts as unknown."""
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
        origin=Origin(payload.origin),
        notice=payload.notice,
    )


def plan_from_store(stored: PlanRecord | PlanValues) -> Plan | None:
    """Build the engine's plan from a stored one, or None if the store only ever saw its withdrawal."""
    if stored.state is None:
        return None
    state = PlanState.model_validate({**stored.state, "revision": stored.revision})
    return plan_from_payload(state, Status(stored.status))


def revision_from_event(event: Event, origin: Mapping[str, Any]) -> PlanRevision:
    """Build the stored form of a validated plan event."""
    payload = cast(PlanPayload, event.payload)
    content = payload.model_dump(mode="json")
    state = content if isinstance(payload, PlanState) else None
    status = _status_after(payload)
    return PlanRevision(
        plan_id=payload.plan_id,
        authority=payload.authority,
        revision=payload.revision,
        event_id=event.id,
        event_type=event.type,
        content_hash=event_content_hash(event.type, content),
        payload=content,
        origin=origin,
        status=status.value,
        matchable=is_matchable(status, sharing_of(state)),
        state=state,
        published_at=event.time,
        traceparent=event.traceparent,
    )


def _status_after(payload: PlanPayload) -> Status:
    if isinstance(payload, PlanWithdrawn):
        return Status.WITHDRAWN
    return Status.AWARDED if isinstance(payload, PlanAwarded) else Status.ACTIVE
