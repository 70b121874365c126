"""Plans that an authority enters on the pages. Each is drafted, published and ended as a plan event in the outbox.

The web process needs no broker and no key. The relay publishes the events on a topic that it alone may write.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from events.fields import Origin
from events.limits import find_excess
from events.plans import PlanAwarded, PlanPayload, PlanPublished, PlanUpdated, PlanWithdrawn
from events.topics import NOTICES, PAGE_PLANS
from events.validation_sentences import describe_validation_error
from matching.plan import Status
from services.application.patience import wait_for
from services.domain.audit import Act, AuditAction, Channel
from services.ingest.event_publisher import message_of, plan_event
from services.store import audit_log, outbox, plan_drafts, plan_log, plans
from services.store.database import Sessions
from services.store.pipelined_queries import fetch
from services.store.plan_drafts import PlanDraft
from services.store.plans import PlanRecord

DRAFT_LIFETIME: Final = timedelta(days=30)
MAX_DRAFTS: Final = 50


class PlanActError(ValueError):
    """A plan can't be published or ended now; the message gives the reason and the remedy."""


class PlanSource(StrEnum):
    """The source of a plan's newest revision."""

    PAGES = "pages"
    SYSTEM = "system"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """One of the authority's own plans, and its source."""

    row: PlanRecord
    source: PlanSource


async def own_plan(session: AsyncSession, authority: str, plan_id: str) -> StoredPlan | None:
    """One of the authority's own plans; None if it has no such plan."""
    row = (await plans.by_id(session, [plan_id])).get(plan_id)
    if row is None or row.authority != authority or not row.state:
        return None
    topic = (await plan_log.log_entry(session, plan_id, row.revision)).origin.get("topic")
    sources = {NOTICES.name: PlanSource.NOTICE, PAGE_PLANS.name: PlanSource.PAGES}
    return StoredPlan(row, sources.get(topic, PlanSource.SYSTEM))


async def own_draft(session: AsyncSession, authority: str, plan_id: str, at: datetime) -> PlanDraft | None:
    """One of the authority's own drafts; None if it has no such draft."""
    draft = await plan_drafts.load(session, plan_id, at)
    return draft if draft is not None and draft.authority == authority else None


async def begin_plan(session: AsyncSession, authority: str, fields: Mapping[str, Any], at: datetime) -> str:
    """Start the draft of a new plan; return its id. Raises PlanActError if there are too many drafts."""
    await plan_drafts.prune(session, at)
    if await plan_drafts.count(session, authority) >= MAX_DRAFTS:
        raise PlanActError(f"Your council has {MAX_DRAFTS} plans that are not published. Publish or delete some first")
    plan_id = f"{authority}:W-{secrets.token_hex(5)}"
    await _put(session, plan_id, 0, fields, at)
    return plan_id


async def begin_change(session: AsyncSession, authority: str, plan_id: str, at: datetime) -> bool:
    """Start or continues a change of one of the authority's own plans; False if it has no such plan."""
    if await own_draft(session, authority, plan_id, at) is not None:
        return True
    stored = await own_plan(session, authority, plan_id)
    if stored is None:
        return False
    fields = {name: value for name, value in stored.row.state.items() if name not in ("plan_id", "revision")}
    await _put(session, plan_id, stored.row.revision, fields, at)
    return True


async def change_draft(
    session: AsyncSession, draft: PlanDraft, values: Mapping[str, Any], at: datetime
) -> Mapping[str, Any]:
    """Set values in a draft; return all its fields. The value None removes a field."""
    fields = {name: value for name, value in {**draft.fields, **values}.items() if value is not None}
    await _put(session, draft.plan_id, draft.base_revision, fields, at)
    return fields


async def discard_draft(session: AsyncSession, draft: PlanDraft) -> None:
    """Delete a draft."""
    await plan_drafts.take(session, draft.plan_id)


async def publish_draft(session: AsyncSession, draft: PlanDraft, actor: str, at: datetime) -> PlanPayload:
    """Publish a draft for its authority, and delete it. The caller commits. Raises PlanActError."""
    newest = await _newest_revision(session, draft.plan_id)
    if newest != draft.base_revision:
        raise PlanActError(
            "This plan was changed elsewhere after you began. Delete this draft, look at the plan, then change it again"
        )
    payload = _payload(draft, newest + 1, at)
    if await plan_drafts.take(session, draft.plan_id) is None:
        raise PlanActError("This plan has just been published by somebody else of your council")
    await _send(session, payload, actor)
    return payload


async def end_plan(
    session: AsyncSession, stored: StoredPlan, actor: str, *, awarded: bool, awarded_on: date | None = None
) -> PlanPayload:
    """Withdraw a plan, or mark its contract as awarded. The caller commits. Raises PlanActError."""
    row = stored.row
    newest = await _newest_revision(session, row.plan_id)
    if newest != row.revision:
        raise PlanActError("An earlier change of this plan is still on its way. Wait a minute, then try again")
    named: dict[str, Any] = {"plan_id": row.plan_id, "revision": newest + 1, "authority": row.authority}
    payload = PlanAwarded(**named, awarded_on=awarded_on) if awarded else PlanWithdrawn(**named)
    await plan_drafts.take(session, row.plan_id)
    await _send(session, payload, actor)
    return payload


async def confirm_plan(session: AsyncSession, row: PlanRecord) -> PlanPayload:
    """Send a plan again as it stands, for who holds its authority's link. The caller commits. Raises PlanActError."""
    newest = await _newest_revision(session, row.plan_id)
    if newest != row.revision or row.status != Status.ACTIVE:
        raise PlanActError("This plan has changed since, or a change of it is still on its way")
    payload = PlanUpdated.model_validate({**row.state, "revision": newest + 1, "origin": Origin.AUTHORITY})
    await _send(session, payload, None)
    return payload


async def wait_for_revision(sessions: Sessions, plan_id: str, revision: int) -> bool:
    """Wait briefly until the matcher has recorded a revision of a plan; return whether it has."""

    async def look(session: AsyncSession) -> bool | None:
        known = await fetch(session, plans.revisions([plan_id]))
        return known.get(plan_id, 0) >= revision or None

    return await wait_for(sessions, look) is not None


def _payload(draft: PlanDraft, revision: int, at: datetime) -> PlanPayload:
    named = {"plan_id": draft.plan_id, "revision": revision, "authority": draft.authority, "origin": Origin.AUTHORITY}
    kind = PlanUpdated if draft.base_revision else PlanPublished
    try:
        payload = kind.model_validate({**draft.fields, **named})
    except ValidationError as error:
        raise PlanActError(f"This plan can't be published: {describe_validation_error(error)}") from None
    if excess := find_excess(payload, at):
        raise PlanActError(f"This plan can't be published: {excess.field} {excess.sentence}")
    return payload


async def _newest_revision(session: AsyncSession, plan_id: str) -> int:
    """The plan's newest revision, including one still on its way to the matcher; 0 if there is none."""
    row = (await plans.by_id(session, [plan_id])).get(plan_id)
    sent = await outbox.newest(session, PAGE_PLANS.name, plan_id)
    on_its_way = int(json.loads(sent.value)["revision"]) if sent is not None else 0
    return max(row.revision if row is not None else 0, on_its_way)


async def _send(session: AsyncSession, payload: PlanPayload, actor: str | None) -> None:
    event_id = plan_event(payload).id
    session.add(outbox.to_outbox_row(PAGE_PLANS.name, event_id, message_of(payload)))
    await session.flush()
    details: dict[str, str | int | bool | None] = {
        "event": event_id,
        "type": payload.type,
        "revision": payload.revision,
    }
    subject = f"plan:{payload.plan_id}"
    act = Act(AuditAction.PLAN_SENT, payload.authority, subject, Channel.BROWSER, actor, details)
    await audit_log.append(session, [act])


async def _put(
    session: AsyncSession, plan_id: str, base_revision: int, fields: Mapping[str, Any], at: datetime
) -> None:
    draft = PlanDraft(
        plan_id=plan_id,
        authority=plan_id.partition(":")[0],
        base_revision=base_revision,
        fields=dict(fields),
        expires_at=at + DRAFT_LIFETIME,
    )
    await plan_drafts.put(session, draft)
