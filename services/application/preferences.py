"""Changes which emails an authority gets, with a record of each change.

A dissolved authority's emails go to its successor, so a choice for it changes the successor's choice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.domain.audit import Act, AuditAction, Channel
from services.store import (
    audit_log,
    authorities,
    benchmark_notices,
    coalition_notices,
    plan_confirmations,
    saved_searches,
)
from services.store.addressees import addressee, mutes_for, written_to
from services.store.authorities import AuthorityUpdate, Mutes, SaveResult


class EmailChoice(StrEnum):
    """The choices of emails."""

    ALL = "all"
    PAUSE_MONTH = "pause-month"
    PAUSE_QUARTER = "pause-quarter"
    DIGEST_ONLY = "digest-only"
    STOP = "stop"
    NO_QUESTIONS = "no-questions"
    NO_PRICES = "no-prices"
    NO_GROUPS = "no-groups"


SENTENCES: Final[Mapping[EmailChoice, str]] = {
    EmailChoice.ALL: "You get all emails: at once, and the weekly digest.",
    EmailChoice.DIGEST_ONLY: "You get the weekly digest, and no emails about matches at once.",
    EmailChoice.STOP: "You get no emails about matches any more.",
    EmailChoice.NO_QUESTIONS: "Nobody asks you whether your plans are still true.",
    EmailChoice.NO_PRICES: "You get no emails about prices and extensions.",
    EmailChoice.NO_GROUPS: "You get no emails about groups, and no invitations.",
}
_SWITCHES: Final[Mapping[str, str]] = {
    "digest": "digest",
    plan_confirmations.PURPOSE: "confirmations",
    benchmark_notices.PURPOSE: "benchmarks",
    coalition_notices.PURPOSE: "coalitions",
}
"""The field that stops a kind of email; `immediate` stops every other kind."""


@dataclass(frozen=True, slots=True)
class EmailsNow:
    """The emails that an authority gets at present."""

    mailbox: str
    immediate: bool
    digest: bool
    confirmations: bool
    benchmarks: bool
    coalitions: bool
    paused_until: date | None

    def sentence(self, today: date) -> str:
        """Describe the choice in words."""
        switches = (
            (EmailChoice.NO_QUESTIONS, self.confirmations),
            (EmailChoice.NO_PRICES, self.benchmarks),
            (EmailChoice.NO_GROUPS, self.coalitions),
        )
        others = [SENTENCES[choice] for choice, wanted in switches if not wanted]
        if self.paused_until is not None and self.paused_until > today:
            stopped = [] if self.immediate or self.digest else [SENTENCES[EmailChoice.STOP]]
            return " ".join([f"All emails are paused until {self.paused_until:%-d %B %Y}.", *stopped, *others])
        if self.immediate and self.digest and not others:
            return SENTENCES[EmailChoice.ALL]
        return " ".join([self._about_matches(), *others])

    def _about_matches(self) -> str:
        if not self.immediate:
            return SENTENCES[EmailChoice.DIGEST_ONLY if self.digest else EmailChoice.STOP]
        return f"You get emails about matches at once, and {'the' if self.digest else 'no'} weekly digest."


async def current(session: AsyncSession, authority: str, today: date) -> EmailsNow | None:
    """The emails that an authority gets; None if it has no mailbox."""
    row = await addressee(session, authority, today)
    if row is None or row.mailbox is None:
        return None
    return EmailsNow(
        mailbox=row.mailbox,
        immediate=row.immediate,
        digest=row.digest,
        confirmations=row.confirmations,
        benchmarks=row.benchmarks,
        coalitions=row.coalitions,
        paused_until=row.paused_until,
    )


async def choose(
    session: AsyncSession, authority: str, choice: EmailChoice, actor: str | None, today: date
) -> EmailsNow | None:
    """Change which emails an authority gets; return the new choice."""
    entry = AuthorityUpdate(written_to(authority, today), _fields(choice, today))
    return await _write(session, entry, choice.value, actor, today)


async def stop_kind(session: AsyncSession, authority: str, kind: str, today: date) -> EmailsNow | None:
    """Stop one kind of email, for the unsubscribe button of an email program; return the new choice."""
    stopped = kind if kind in _SWITCHES else "immediate"
    entry = AuthorityUpdate(written_to(authority, today), {_SWITCHES.get(kind, "immediate"): False})
    return await _write(session, entry, f"stop-{stopped}", None, today)


async def muted_partners(session: AsyncSession, authority: str, today: date) -> frozenset[str]:
    """The authorities that are left out of emails about this one's plans, by their codes."""
    return (await mutes_for(session, authority, today)).partners


async def set_muted(
    session: AsyncSession, authority: str, partner: str, actor: str | None, today: date, *, muted: bool
) -> EmailsNow | None:
    """Mute a partner, or lets emails about it through again; what the authority gets then."""
    reader = written_to(authority, today)
    held = await authorities.mutes_of(session, sorted({authority, reader}))
    if muted:
        entry = AuthorityUpdate(reader, {}, held.get(reader, Mutes()).partners | {partner})
        return await _write(session, entry, f"mute {partner}", actor, today)
    # A dissolved authority's own mutes hold beside those of its successor.
    for code in (code for code, mutes in held.items() if partner in mutes.partners):
        entry = AuthorityUpdate(code, {}, held[code].partners - {partner})
        await _write(session, entry, f"unmute {partner}", actor, today)
    return await current(session, authority, today)


async def set_search_news(
    session: AsyncSession, authority: str, search_id: str, actor: str | None, *, news: bool
) -> bool:
    """Switch the weekly news of a saved search on or off; return whether the authority has that search."""
    changed = await saved_searches.set_news(session, authority, search_id, news=news)
    if changed:
        await _record(session, authority, f"search:{search_id}", "search-news-on" if news else "search-news-off", actor)
    return changed is not None


async def delete_search(session: AsyncSession, authority: str, search_id: str, actor: str | None) -> bool:
    """Delete a saved search, which ends its news; return whether the authority had it."""
    found = await saved_searches.remove(session, authority, search_id)
    if found:
        await _record(session, authority, f"search:{search_id}", "search-deleted", actor)
    return found


async def _write(
    session: AsyncSession, entry: AuthorityUpdate, choice: str, actor: str | None, today: date
) -> EmailsNow | None:
    authority = entry.authority
    result, _ = await authorities.save(session, entry)
    await session.flush()
    now = await current(session, authority, today)
    if result != SaveResult.UNCHANGED:
        await _record(session, authority, f"authority:{authority}", choice, actor)
    return now


async def _record(session: AsyncSession, authority: str, subject: str, choice: str, actor: str | None) -> None:
    act = Act(AuditAction.EMAILS_CHANGED, authority, subject, Channel.BROWSER, actor, {"choice": choice})
    await audit_log.append(session, [act])


def _fields(choice: EmailChoice, today: date) -> Mapping[str, Any]:
    match choice:
        case EmailChoice.ALL:
            kinds = ("immediate", "digest", *_SWITCHES.values())
            return {**dict.fromkeys(kinds, True), "paused_until": None}
        case EmailChoice.PAUSE_MONTH:
            return {"paused_until": today + timedelta(days=30)}
        case EmailChoice.PAUSE_QUARTER:
            return {"paused_until": today + timedelta(days=91)}
        case EmailChoice.DIGEST_ONLY:
            return {"immediate": False, "digest": True, "paused_until": None}
        case EmailChoice.NO_QUESTIONS:
            return {"confirmations": False}
        case EmailChoice.NO_PRICES:
            return {"benchmarks": False}
        case EmailChoice.NO_GROUPS:
            return {"coalitions": False}
        case EmailChoice.STOP:
            return {"immediate": False, "digest": False}
