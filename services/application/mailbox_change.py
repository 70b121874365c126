"""Changes an authority's role mailbox. One code goes to the old mailbox, one to the new; both are needed.

The change invalidates the links of earlier emails, all pending codes, and every session.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.application.sign_in import SignedInAuthority
from services.domain.audit import Act, AuditAction, Channel
from services.domain.mailbox_codes import CODE_LIFETIME, MAX_CODES_AN_HOUR, MAX_TRIES, code_hash, is_code, new_code
from services.platform.clock import day_of
from services.store import audit_log, authorities, intents, mailbox_changes, saved_searches, web_sessions
from services.store.addressees import written_to
from services.store.authorities import AddressError, AuthorityUpdate
from services.store.mailbox_changes import MailboxChange

_HOUR: Final = timedelta(hours=1)


class MailboxChangeError(ValueError):
    """A change that can't begin; the message says why, for people, and never repeats the address."""


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """The present mailbox and the new one."""

    present: str
    new: str


@dataclass(frozen=True, slots=True)
class MailboxChangeCodes:
    """The mailboxes, and the code for each."""

    mailboxes: Mailboxes
    present_code: str
    new_code: str


async def begin(
    session: AsyncSession, keys: Sequence[str], account: SignedInAuthority, mailbox: str, at: datetime
) -> MailboxChangeCodes:
    """Make both codes; the caller sends them. Raises MailboxChangeError."""
    account = _owner(account, at)
    try:
        new = authorities.valid_mailbox(mailbox)
    except AddressError as error:
        raise MailboxChangeError(f"The address {error}") from None
    row = await authorities.lock(session, account.authority)
    if row is None or row.mailbox is None or row.mailbox == new:
        raise MailboxChangeError("This is your mailbox already")
    if await mailbox_changes.count_since(session, account.authority, at - _HOUR) >= MAX_CODES_AN_HOUR:
        raise MailboxChangeError(f"Codes were sent {MAX_CODES_AN_HOUR} times within an hour. Try again later")
    change_id, present_code, code = uuid.uuid4().hex, new_code(), new_code()
    session.add(
        MailboxChange(
            change_id=change_id,
            authority=account.authority,
            actor=account.actor,
            mailbox_ref=row.mailbox_ref,
            new_mailbox=new,
            present_code_hash=code_hash(keys[0], f"{change_id} present", present_code),
            new_code_hash=code_hash(keys[0], f"{change_id} new", code),
            created_at=at,
            expires_at=at + CODE_LIFETIME,
        )
    )
    return MailboxChangeCodes(Mailboxes(row.mailbox, new), present_code, code)


async def find(session: AsyncSession, account: SignedInAuthority, at: datetime) -> Mailboxes | None:
    """The change that this session has begun; None if there is none, or its codes have expired."""
    account = _owner(account, at)
    change = await mailbox_changes.newest(session, account.authority, account.actor, at)
    row = (await authorities.by_codes(session, [account.authority])).get(account.authority)
    if change is None or row is None or row.mailbox is None or row.mailbox_ref != change.mailbox_ref:
        return None
    return Mailboxes(row.mailbox, change.new_mailbox)


async def finish(
    session: AsyncSession, keys: Sequence[str], account: SignedInAuthority, codes: tuple[str, str], at: datetime
) -> Mailboxes | None:
    """Change the mailbox if both codes are right; None if they are not, or have expired.

    `codes`: of the present mailbox, and of the new one. The caller commits in either case, so that tries are counted.
    """
    account = _owner(account, at)
    change = await mailbox_changes.newest(session, account.authority, account.actor, at)
    if change is None or not await mailbox_changes.count_try(session, change.change_id, MAX_TRIES):
        return None
    right = [
        is_code(keys, f"{change.change_id} present", codes[0], change.present_code_hash),
        is_code(keys, f"{change.change_id} new", codes[1], change.new_code_hash),
    ]
    row = await authorities.lock(session, account.authority)
    if not all(right) or row is None or row.mailbox is None or row.mailbox_ref != change.mailbox_ref:
        return None
    changed = Mailboxes(row.mailbox, change.new_mailbox)
    await authorities.save(session, AuthorityUpdate(account.authority, {"mailbox": change.new_mailbox}))
    await send_refused_again(session, account.authority, at)
    await mailbox_changes.end_all(session, account.authority)
    await web_sessions.revoke_all(session, account.authority)
    subject, details = f"authority:{account.authority}", {"mailbox_ref": row.mailbox_ref}
    act = Act(AuditAction.MAILBOX_CHANGED, account.authority, subject, Channel.BROWSER, account.actor, details)
    await audit_log.append(session, [act])
    return changed


def _owner(account: SignedInAuthority, at: datetime) -> SignedInAuthority:
    """The account whose mailbox it is: the successor's, for an authority that has been dissolved."""
    return replace(account, authority=written_to(account.authority, day_of(at)))


async def send_refused_again(session: AsyncSession, authority: str, at: datetime) -> int:
    """What the old mailbox refused goes to the new one from `at` on; the number of notifications due again."""
    due = await intents.requeue_failed(session, authority, at)
    await saved_searches.release_failed(session, authority)
    return due
