"""What an email says: opportunities as one authority may see them, grouped under its own plans. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from events.opportunities import OpportunityState, PlanSummary
from matching.reference import authority
from matching.text.formatting import day_text
from services.domain.notification_rules import RANK, sides
from services.domain.notification_schedule import MAX_ITEMS_IN_A_LINE, MAX_ITEMS_IN_FULL
from services.notifier.rendering import phrases
from services.notifier.rendering.plain_text import sanitise, truncate

REASONS: Final = 5


@dataclass(frozen=True, slots=True)
class OpportunityView:
    """One opportunity as its reader may see it. Every text is plain, on one line and of bounded length.

    `shared` is whether both sides share openly; where not, `title`, `reasons` and `contact` are
    empty. `contact` is the partner's role mailbox, `ended` a withdrawn opportunity's.
    """

    opportunity_id: str
    plan_id: str
    plan: str
    partner_code: str
    partner: str
    shared: bool
    ended: bool
    title: str | None
    strength: str
    meaning: str
    note: str | None
    partner_window: str
    partner_regions: str
    common_window: str | None
    join_by: str | None
    reasons: tuple[str, ...]
    contact: str | None
    source: str | None
    rank: tuple[int, float, str]


@dataclass(frozen=True, slots=True)
class PlanGroup:
    """The opportunities of one of the reader's own plans, the strongest first."""

    plan: str
    plan_id: str
    items: tuple[OpportunityView, ...]


@dataclass(frozen=True, slots=True)
class EmailView:
    """A whole email: `groups` in full, `brief` in a line each. `later`: names of authorities that the email tells of,
    each with how many more matches with it are told later."""

    authority: str
    name: str
    purpose: str
    subject: str
    groups: tuple[PlanGroup, ...]
    brief: tuple[PlanGroup, ...]
    later: tuple[tuple[str, int], ...] = ()

    @property
    def items(self) -> tuple[OpportunityView, ...]:
        """Everything the email tells of."""
        return tuple(item for group in (*self.groups, *self.brief) for item in group.items)


def opportunity_view(
    state: OpportunityState, authority: str, band: str, change: str, partner: str, contact: str | None
) -> OpportunityView:
    """The opportunity as `authority` may see it; the other side is called `partner`.

    Where either plan is not shared openly, only the other side's name, window, region and the band are in it.
    """
    own, other = next(pair for pair in sides(state) if pair[0].authority == authority)
    shared = own.sharing == other.sharing == "open"
    ended = change == "withdrawn"
    score = state.score if shared else None
    plan_id = own.plan_id or state.opportunity_id
    return OpportunityView(
        opportunity_id=state.opportunity_id,
        plan_id=plan_id,
        plan=phrases.own_plan(own.title if shared else None, plan_id),
        partner_code=other.authority,
        partner=sanitise(partner, 80),
        shared=shared,
        ended=ended,
        title=sanitise(other.title, 160) if shared and other.title else None,
        strength=phrases.strength(band, score),
        meaning=phrases.band_advice(band),
        note=phrases.change_note(change),
        partner_window=phrases.format_date_range(other.tender_window),
        partner_regions=phrases.places(other.regions),
        common_window=phrases.format_date_range(state.common_window) if state.common_window else None,
        # The last day to join tells of the lead time, and that of the category: not where only the match is shared.
        join_by=day_text(state.join_by) if state.join_by and shared and not ended else None,
        reasons=_sentences(state.reasons) if shared else (),
        contact=contact if shared and not ended else None,
        source=phrases.source(other.origin, other.notice) if shared else None,
        rank=(-RANK[band], -(score or 0.0), state.join_by.isoformat() if state.join_by and shared else "9999"),
    )


def _sentences(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(sentence for text in texts[:REASONS] if (sentence := sanitise(text, 300)))


def email_view(
    authority: str,
    name: str,
    purpose: str,
    items: Sequence[OpportunityView],
    later: Mapping[str, int] = MappingProxyType({}),
) -> EmailView:
    """Composes an email of the items; at least one, at most ITEMS_IN_FULL + ITEMS_IN_A_LINE. `later`: by authority, how
    many more matches wait because an email tells of only so many with one."""
    assert 0 < len(items) <= MAX_ITEMS_IN_FULL + MAX_ITEMS_IN_A_LINE
    ordered = sorted(items, key=lambda entry: (entry.rank, entry.opportunity_id))
    partners = {entry.partner_code: entry.partner for entry in ordered}
    return EmailView(
        authority=authority,
        name=sanitise(name, 80),
        purpose=purpose,
        subject=subject_line(purpose, ordered),
        groups=_grouped(ordered[:MAX_ITEMS_IN_FULL]),
        brief=_grouped(ordered[MAX_ITEMS_IN_FULL:]),
        later=tuple((partner, later[code]) for code, partner in partners.items() if later.get(code)),
    )


def _grouped(items: Sequence[OpportunityView]) -> tuple[PlanGroup, ...]:
    groups: dict[str, list[OpportunityView]] = {}
    for entry in items:
        groups.setdefault(entry.plan_id, []).append(entry)
    return tuple(PlanGroup(own[0].plan, plan_id, tuple(own)) for plan_id, own in groups.items())


def subject_line(purpose: str, items: Sequence[OpportunityView]) -> str:
    """The subject, in at most SUBJECT_LENGTH characters: the reader's plan first, then who else buys it. `items`
    strongest first."""
    plans: Mapping[str, str] = {entry.plan_id: entry.plan for entry in items}
    more = f" and {_count(len(plans) - 1, 'more plan')}" if len(plans) > 1 else ""
    rest = more + _company(purpose, {entry.partner_code: _short(entry) for entry in items})
    return truncate(next(iter(plans.values())), phrases.SUBJECT_LENGTH - len(rest)) + rest


def _company(purpose: str, partners: Mapping[str, str]) -> str:
    """Who else is concerned and how. A name too long for half a subject becomes a number."""
    noun = phrases.partner_noun(list(partners))
    counted = f"{len(partners)} {noun}" if len(partners) > 1 else f"1 {noun.replace('ies', 'y').removesuffix('s')}"
    said = [_said_of(purpose, who, len(partners)) for who in (*list(partners.values())[:1], counted)]
    alone = len(partners) == 1 and len(said[0]) <= phrases.SUBJECT_LENGTH // 2
    return said[0] if alone else said[1]


def _short(entry: OpportunityView) -> str:
    known = authority(entry.partner_code)
    return known.short_name if known else entry.partner


def _said_of(purpose: str, who: str, number: int) -> str:
    if purpose == "correction":
        return f": no match with {who} now"
    if purpose == "digest":
        return f": {who} may buy it too"
    return f": {who} {'plans' if number == 1 else 'plan'} to buy it too"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def contact_for(state: OpportunityState, other: PlanSummary, mailboxes: Mapping[str, str]) -> str | None:
    """The partner's role mailbox, where both sides share openly and it is known."""
    if any(side.sharing != "open" for side in state.plans):
        return None
    return mailboxes.get(other.authority)
