"""Signing in from a role mailbox: a code goes to the mailbox, and its reader enters it with a name and a job title.

The pages never reveal who takes part: an unknown council gets the same pages, and a code that goes nowhere.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.domain.audit import Act, AuditAction, Channel
from services.domain.mailbox_codes import CODE_LIFETIME, MAX_CODES_AN_HOUR, MAX_TRIES, code_hash, is_code, new_code
from services.domain.parties import PartyKind
from services.platform.clock import day_of
from services.store import audit_log, audit_names, authorities, mailbox_changes, parties, web_sessions
from services.store.addressees import addressee, written_to
from services.store.authorities import Authority
from services.store.web_sessions import SignInCode, WebSession

SESSION_LIFETIME: Final = timedelta(hours=8)
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class SignInTicket:
    """A sign-in in progress. `ticket` goes to the browser, and `code` to the mailbox if there is one."""

    ticket: str
    code: str
    mailbox: str | None


@dataclass(frozen=True, slots=True)
class SignedInAuthority:
    """The authority that a session acts for. `actor`: the id of the typed name. `party`: its kind, if it is a party."""

    authority: str
    name: str
    actor: str
    party: PartyKind | None = None


async def begin(session: AsyncSession, keys: Sequence[str], authority: str | None, at: datetime) -> SignInTicket:
    """Create a code. If the authority is unknown or has had its codes for this hour, the code goes nowhere."""
    await web_sessions.prune(session, at, _HOUR)
    await mailbox_changes.prune(session, at, _HOUR)
    ticket, code = secrets.token_urlsafe(32), new_code()
    row = await _account(session, authority, day_of(at)) if authority else None
    mailbox = row.mailbox if row is not None and row.takes_part(day_of(at)) else None
    if row is None or await web_sessions.codes_since(session, row.authority, at - _HOUR) >= MAX_CODES_AN_HOUR:
        mailbox = None
    session.add(
        SignInCode(
            ticket_hash=_hash(ticket),
            authority=row.authority if row is not None and mailbox else None,
            mailbox_ref=row.mailbox_ref if row is not None and mailbox else None,
            code_hash=code_hash(keys[0], ticket, code),
            created_at=at,
            expires_at=at + CODE_LIFETIME,
        )
    )
    return SignInTicket(ticket, code, mailbox)


async def finish(
    session: AsyncSession, keys: Sequence[str], ticket: str, code: str, person: tuple[str, str], at: datetime
) -> str | None:
    """Return the token of a new session if the code is right; None if it is not, or has expired.

    `person`: the typed name and job title. Only `audit_names` stores them. The caller commits in either case, so that
    tries are counted.
    """
    row = await web_sessions.count_try(session, _hash(ticket), MAX_TRIES, at)
    if row is None or row.authority is None or not is_code(keys, ticket, code, row.code_hash):
        return None
    council = await _taking_part(session, row.authority, row.mailbox_ref, at)
    if council is None or not await web_sessions.take_code(session, row.ticket_hash):
        return None
    token = secrets.token_urlsafe(32)
    actor = await audit_names.add(session, council.authority, *person)
    session.add(
        WebSession(
            token_hash=_hash(token),
            authority=council.authority,
            mailbox_ref=council.mailbox_ref,
            actor=actor,
            created_at=at,
            expires_at=at + SESSION_LIFETIME,
        )
    )
    await session.flush()
    await _record(session, AuditAction.SIGNED_IN, council.authority, actor)
    return token


async def find(session: AsyncSession, token: str, at: datetime) -> SignedInAuthority | None:
    """Find the authority of a session token; None if the session has ended or the mailbox has changed since."""
    row = await web_sessions.find(session, _hash(token), at)
    council = await _taking_part(session, row.authority, row.mailbox_ref, at) if row else None
    if row is None or council is None:
        return None
    return SignedInAuthority(row.authority, council.name, row.actor, await parties.kind_of(session, row.authority))


async def sign_out(session: AsyncSession, token: str, at: datetime) -> None:
    """End a session."""
    row = await web_sessions.find(session, _hash(token), at)
    await web_sessions.revoke(session, _hash(token))
    if row is not None:
        await _record(session, AuditAction.SIGNED_OUT, row.authority, row.actor)


async def _account(session: AsyncSession, authority: str, day: date) -> Authority | None:
    """Who signs in for an authority; the successor as itself where the register has no such authority."""
    is_registered = authority in await authorities.by_codes(session, [authority])
    return await addressee(session, authority if is_registered else written_to(authority, day), day)


async def _taking_part(
    session: AsyncSession, authority: str, mailbox_ref: str | None, at: datetime
) -> Authority | None:
    """The authority; None if its mailbox has changed or is gone, or it has withdrawn."""
    row = await addressee(session, authority, day_of(at))
    if row is None or row.mailbox is None or row.mailbox_ref != mailbox_ref or not row.takes_part(day_of(at)):
        return None
    return row


async def _record(session: AsyncSession, action: AuditAction, authority: str, actor: str) -> None:
    await audit_log.append(session, [Act(action, authority, f"authority:{authority}", Channel.BROWSER, actor)])


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
