"""Forecasts the notifications of a reassessment with the notifier's own rules, before anything is written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from services.domain.notification_rules import Preferences, effective_purpose, plan_notifications, sides
from services.domain.notifications import POSSIBLY_SENT, Purpose
from services.maintenance.reassess import OpportunityChange
from services.platform.clock import today
from services.store import authorities, intents
from services.store.authorities import Authority, Mutes
from services.store.intents import Intent


@dataclass(slots=True)
class NotificationForecast:
    """The changes to one authority's opportunities, by kind, and its notifications, by purpose.

    `tells` counts notifications: immediate, digest and correction by the current register; `unreachable` if the
    authority has no mailbox; `unwanted` if it takes no part or wants no such emails.
    """

    authority: str
    changes: Counter[str] = field(default_factory=Counter)
    tells: Counter[str] = field(default_factory=Counter)


async def forecast(session: AsyncSession, changes: Sequence[OpportunityChange]) -> list[NotificationForecast]:
    """Return the authorities with any material change, by code."""
    material = [change for change in changes if change.material]
    earlier: dict[str, list[Intent]] = {}
    for intent in await intents.for_opportunities(session, [change.after.opportunity_id for change in material]):
        earlier.setdefault(intent.opportunity_id, []).append(intent)
    codes = sorted({own.authority for change in material for own, _ in sides(change.after)})
    register = await authorities.by_codes(session, codes)
    mutes = await authorities.mutes_of(session, codes)
    found = {code: NotificationForecast(code) for code in codes}
    for change in material:
        known = earlier.get(change.after.opportunity_id, [])
        for own, _ in sides(change.after):
            found[own.authority].changes[change.kind] += 1
        for news in plan_notifications(change.after, known).drafts:
            if news.only_if_notified and not _was_told(known, news.authority):
                continue
            if mutes.get(news.authority, Mutes()).includes(news.partner, change.after.opportunity_id):
                continue
            found[news.authority].tells[_delivery_route(news.purpose, register.get(news.authority))] += 1
    return [found[code] for code in codes]


def _was_told(earlier: Sequence[Intent], authority: str) -> bool:
    return any(i.authority == authority and (i.state in POSSIBLY_SENT or i.possibly_delivered) for i in earlier)


def _delivery_route(purpose: Purpose, row: Authority | None) -> str:
    """Return the purpose of the email, or the reason why there is none."""
    if row is None or row.mailbox is None:
        return "unreachable"
    takes_part = row.takes_part(today(None))
    return effective_purpose(purpose, Preferences(row.immediate, row.digest, takes_part)) or "unwanted"
