"""Issues and revokes tokens of the read interface, each with its entry in the audit log."""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.domain.api_access import Scope
from services.domain.audit import Act, AuditAction, Channel
from services.platform.clock import today
from services.store import api_tokens, audit_log, authorities
from services.store.api_tokens import ApiToken

MAX_LABEL: Final = 80
MAX_TOKENS: Final = 20
"""The most active tokens of one authority."""


class ApiTokenError(Exception):
    """A token that can't be issued or revoked; the message says why and what to do."""


async def issue(
    session: AsyncSession,
    authority: str,
    scopes: Collection[Scope],
    label: str,
    *,
    channel: Channel,
    actor: str | None = None,
) -> tuple[ApiToken, str]:
    """Issue a token; return its row and the token, which is shown once and never stored. Raises ApiTokenError."""
    council = await authorities.lock(session, authority)
    if council is None:
        raise ApiTokenError(f"{authority} is not in the register; add it first by `jointly authorities import`")
    if not council.takes_part(today(None)):
        raise ApiTokenError(f"{authority} has withdrawn; a token would read nothing")
    if len(await in_use(session, authority)) >= MAX_TOKENS:
        raise ApiTokenError(f"{authority} has {MAX_TOKENS} tokens; revoke one that nobody uses first")
    if not scopes or (Scope.CALENDAR in scopes and len(scopes) > 1):
        raise ApiTokenError("a token needs a scope, and that of a calendar address is `calendar` alone")
    if len(label) > MAX_LABEL or not label.isprintable():
        raise ApiTokenError(f"the label must be one line of at most {MAX_LABEL} characters")
    row, token = await api_tokens.issue(session, authority, scopes, label)
    await audit_log.append(session, [_act(AuditAction.API_ACCESS_GRANTED, row, channel, actor)])
    return row, token


async def revoke(
    session: AsyncSession, token_id: str, *, authority: str | None, channel: Channel, actor: str | None = None
) -> ApiToken:
    """Revoke a token permanently; with `authority`, only one of that authority's. Raises ApiTokenError."""
    row = await api_tokens.revoke(session, token_id, authority)
    if row is None:
        raise ApiTokenError(f"there is no token {token_id}; `jointly api-token list` shows them")
    await audit_log.append(session, [_act(AuditAction.API_ACCESS_REVOKED, row, channel, actor)])
    return row


async def in_use(session: AsyncSession, authority: str) -> list[ApiToken]:
    """The tokens and calendar addresses of an authority that have not been revoked, oldest first."""
    return [row for row in await api_tokens.listed(session, authority) if row.revoked_at is None]


def calendars(rows: Sequence[ApiToken]) -> list[ApiToken]:
    """The calendar addresses among these tokens."""
    return [row for row in rows if Scope.CALENDAR in row.scopes]


async def end_calendars(session: AsyncSession, authority: str, *, channel: Channel, actor: str | None) -> int:
    """Revoke every calendar address of an authority; return the number revoked."""
    rows = calendars(await in_use(session, authority))
    for row in rows:
        await revoke(session, row.token_id, authority=authority, channel=channel, actor=actor)
    return len(rows)


async def renew_calendar(session: AsyncSession, authority: str, *, channel: Channel, actor: str | None) -> str:
    """Replace an authority's calendar addresses with a new one; return its token, shown once. Raises
    ApiTokenError."""
    await end_calendars(session, authority, channel=channel, actor=actor)
    _, token = await issue(session, authority, [Scope.CALENDAR], "calendar", channel=channel, actor=actor)
    return token


def calendar_address(base: str, token: str) -> str:
    """The private address of a calendar. `base`: the address of the pages."""
    return f"{base.rstrip('/')}/calendar/{token}.ics"


def _act(action: AuditAction, row: ApiToken, channel: Channel, actor: str | None) -> Act:
    subject = f"api-token:{row.token_id}"
    return Act(action, row.authority, subject, channel, actor, {"scopes": " ".join(row.scopes)})
