"""Documents that authorities share with every signatory: their addresses, read by signatories alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncSession

from events.responses import ResponseDocument
from services.domain.audit import Act, AuditAction, Channel
from services.domain.disclosure import plan_facts, shows_document_to_signatories
from services.domain.reorganisation import name_on
from services.store import audit_log, authorities, responses
from services.store.plans import PlanRecord
from services.store.responses import ResponseRow

LIMIT: Final = 200


class NotASignatoryError(Exception):
    """The reader has not signed the Charter, or its signature no longer counts."""


@dataclass(frozen=True, slots=True)
class SignatoryDocument:
    """One document. `need`: the title of the plan that it belongs to; `host`: the host name in its address."""

    title: str
    kind: str
    need: str
    council: str
    on: date
    host: str
    url: str


async def list_documents(session: AsyncSession, authority: str, today: date) -> Sequence[SignatoryDocument]:
    """The documents for all signatories, newest first; at most `LIMIT`. Raises NotASignatoryError."""
    reader = (await authorities.by_codes(session, [authority])).get(authority)
    if reader is None or not reader.is_signatory(today):
        raise NotASignatoryError(authority)
    rows = await responses.documents_for_signatories(session, LIMIT)
    shown = (_document(row, plan, today) for row, plan in rows)
    return [one for one in shown if one is not None]


async def read_documents(
    session: AsyncSession, authority: str, today: date, actor: str | None
) -> Sequence[SignatoryDocument]:
    """The same with an entry of the audit log, before the addresses are shown. Raises NotASignatoryError."""
    found = await list_documents(session, authority, today)
    details = {"documents": len(found)}
    act = Act(AuditAction.DOCUMENTS_READ, authority, "documents:signatories", Channel.BROWSER, actor, details)
    await audit_log.append(session, [act])
    return found


def _document(row: ResponseRow, plan: PlanRecord, today: date) -> SignatoryDocument | None:
    payload = responses.payload_of(row, ResponseDocument)
    facts = plan_facts(plan.state)
    if facts is None or not shows_document_to_signatories(payload.readers, plan.state):
        return None
    return SignatoryDocument(
        title=payload.title,
        kind=payload.document,
        need=facts.title,
        council=name_on(row.authority, today),
        on=row.received_on,
        host=urlsplit(payload.url).hostname or "",
        url=payload.url,
    )
