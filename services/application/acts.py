"""Acts of an authority on the pages: each becomes a response event in the outbox, in one transaction with its record.

The web process needs no broker and no key. The relay publishes the events on a topic that it alone may write.
"""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from events.responses import ResponsePayload
from events.topics import PAGE_RESPONSES
from services.application.patience import wait_for
from services.application.responses import RESPONSE_EVENTS
from services.domain.audit import Act, AuditAction, Channel
from services.store import audit_log, outbox, responses
from services.store.database import Sessions


@dataclass(frozen=True, slots=True)
class ActOutcome:
    """The outcome of a response. `refused`: the reason why it does not count, for people."""

    response_id: str
    kind: str
    refused: str | None


async def submit(session: AsyncSession, payload: ResponsePayload, actor: str | None) -> None:
    """Put a response into the outbox; the caller commits. The same response sent twice counts once.

    `actor`: the id of the name typed at sign-in. The audit log has it, the event does not.
    """
    event_id = RESPONSE_EVENTS.event(payload).id
    session.add(outbox.to_outbox_row(PAGE_RESPONSES.name, event_id, RESPONSE_EVENTS.message(payload)))
    await session.flush()
    subject = f"{payload.subject}:{payload.subject_id}"
    details = {"response": payload.response_id, "type": payload.type}
    act = Act(AuditAction.RESPONSE_SENT, payload.authority, subject, Channel.BROWSER, actor, details)
    await audit_log.append(session, [act])


async def wait_for_outcome(sessions: Sessions, response_id: str, authority: str) -> ActOutcome | None:
    """Wait briefly for the outcome of an authority's response; None if it is still unknown."""

    async def look(session: AsyncSession) -> ActOutcome | None:
        row = await responses.load(session, authority, response_id)
        if row is None:
            return None
        return ActOutcome(response_id, row.kind, row.detail)

    return await wait_for(sessions, look)
