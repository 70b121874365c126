"""Plans rebuilt from the plan log: each at its newest revision, whatever order the log's rows have."""

from typing import Final

from events.cloudevents import Event
from events.plans import PLAN_PAYLOADS, PlanAwarded, PlanPayload, PlanState
from matching.plan import Status
from services.store import forgotten, plan_log
from services.store.mapping import revision_from_event
from services.store.plan_log import PlanLog, PlanRevision
from services.store.plans import PlanRecord
from services.store.shadow_tables import LoggedPlan

_BY_TYPE: Final[dict[str, type[PlanPayload]]] = {payload.type: payload for payload in PLAN_PAYLOADS}
FULL_STATE_TYPES: Final = tuple(name for name, payload in _BY_TYPE.items() if issubclass(payload, PlanState))


def replay_plan(logged: LoggedPlan, live: PlanRecord | None) -> PlanRecord:
    """Rebuild one plan's row from the log.

    The live row of the same revision supplies the columns that the log does not hold: the assessed revision, failures
    and quarantine, and the trace.
    """
    newest = logged.newest
    first = logged.whole or newest
    plan = PlanRecord(
        plan_id=newest.plan_id,
        authority=str(first.payload["authority"]),
        revision=0,
        status="active",
        matchable=False,
        event_id="",
        published_at=newest.published_at,
        received_at=newest.received_at,
    )
    if logged.whole is not None:
        plan_log.apply_revision(plan, _revision(logged.whole))
    if newest is not logged.whole:
        plan_log.apply_revision(plan, _revision(newest))
    plan.received_at = newest.received_at
    # A live row that contradicts the log is not trusted in anything else either.
    plan.assessed_revision = plan.revision
    if live is not None and live.revision == plan.revision:
        plan.traceparent = live.traceparent
        plan.assessed_revision, plan.attempts = live.assessed_revision, live.attempts
        plan.quarantined = live.quarantined
        plan.matchable = plan.matchable and not live.quarantined
    return plan


def differs_from_log(plan: PlanRecord, live: PlanRecord | None) -> bool:
    """Return whether a live row contradicts the log in anything that matters to a match.

    Of an ended plan, only the end is compared; the last state applied before it is history.
    """
    if live is None:
        return True
    if _outline(plan) != _outline(live):
        return True
    return plan.status == Status.ACTIVE and plan.state != live.state


def _outline(plan: PlanRecord) -> tuple[object, ...]:
    return plan.authority, plan.revision, plan.status, plan.matchable


def _revision(row: PlanLog) -> PlanRevision:
    if forgotten.is_blank(row.payload):
        return _without_content(row)
    payload = _BY_TYPE[row.event_type].model_validate(row.payload)
    event = Event(id=row.event_id, type=row.event_type, source="/rebuild", time=row.published_at, payload=payload)
    return revision_from_event(event, row.origin)


def _without_content(row: PlanLog) -> PlanRevision:
    """Return the revision of forgotten content. The plan counts as over, whatever the event said."""
    over = Status.AWARDED if row.event_type == PlanAwarded.type else Status.WITHDRAWN
    return PlanRevision(
        plan_id=row.plan_id,
        authority=str(row.payload["authority"]),
        revision=row.revision,
        event_id=row.event_id,
        event_type=row.event_type,
        content_hash=row.content_hash,
        payload=row.payload,
        origin=row.origin,
        status=over.value,
        matchable=False,
        state=None,
        published_at=row.published_at,
        traceparent=None,
    )
