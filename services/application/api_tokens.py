"""Tokens of the read interface issued and revoked, each with its entry in the audit log."""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncSession

from services.domain.api_access import Scope
from services.domain.audit import Act, AuditAction, Channel
from services.store import api_tokens, audit_log, authorities
from services.store.api_tokens import ApiToken

MAX_LABEL = 80


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
    """A new token of an authority, and its row. The token is shown once and stored nowhere. Raises ApiTokenError."""
    if not await authorities.by_codes(session, [authority]):
        raise ApiTokenError(f"{authority} is not in the register; add it first by `jointly authorities import`")
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
    """Revokes a token for ever: any, or only one of `authority`. Raises ApiTokenError."""
    row = await api_tokens.revoke(session, token_id, authority)
    if row is None:
        raise ApiTokenError(f"there is no token {token_id}; `jointly api-token list` shows them")
    await audit_log.append(session, [_act(AuditAction.API_ACCESS_REVOKED, row, channel, actor)])
    return row


def _act(action: AuditAction, row: ApiToken, channel: Channel, actor: str | None) -> Act:
    subject = f"api-token:{row.token_id}"
    return Act(action, row.authority, subject, channel, actor, {"scopes": " ".join(row.scopes)})
