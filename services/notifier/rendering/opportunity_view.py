"""One opportunity as one of its authorities may see it under `sharing`. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from events.opportunities import OpportunityState, PlanSummary
from services.domain.disclosure import PlanFacts, are_open
from services.domain.notification_rules import RANK, sides
from services.domain.notifications import NotificationChange
from services.notifier.rendering import phrases
from services.notifier.rendering.plain_text import sanitise


@dataclass(frozen=True, slots=True)
class OpportunityView:
    """One opportunity as its reader may see it. Every text is plain, on one line and of bounded length.

    `shared`: both sides share openly. Otherwise only the partner's name, window, region and the strength are filled in,
    and nothing of the reader's own plan. `ended`: the opportunity is withdrawn. `asked`: the partner asks for an
    introduction. `link`: the page on which the reader answers about an introduction, if there is one.
    """

    opportunity_id: str
    plan_id: str
    partner_plan: str
    partner_code: str
    partner: str
    shared: bool
    ended: bool
    own: PlanFacts | None
    other: PlanFacts | None
    title: str
    strength: str
    note: str | None
    partner_window: str
    partner_regions: str
    together_from: date | None
    decide_by: date | None
    why: str
    caveats: str
    near_miss: bool
    contact: str | None
    asked: bool
    introduced: bool
    source: str | None
    rank: tuple[int, float, str]
    link: str | None = None


@dataclass(frozen=True, slots=True)
class DisclosedFacts:
    """The present facts of both plans of an opportunity; None for a plan that is not open (any more) or not known."""

    own: PlanFacts | None
    other: PlanFacts | None
    introduced_to: str | None = None
    """The other plan's id if both authorities have agreed to an introduction, which opens match_only plans."""


def opportunity_view(
    state: OpportunityState,
    authority: str,
    band: str,
    change: str,
    partner: str,
    contact: str | None,
    disclosed: DisclosedFacts | None = None,
) -> OpportunityView:
    """Build the view of `authority`; the other side's name is `partner`.

    If either plan is not open, only the other side's name, window, region and the band are shown. `disclosed`: the
    plans' facts beyond the opportunity's summary; None if they are not known.
    """
    own, other = next(pair for pair in sides(state) if pair[0].authority == authority)
    said = disclosed or DisclosedFacts(_summary(own), _summary(other))
    openly = are_open(own, other) or said.introduced_to is not None
    shared = openly and None not in (said.own, said.other)
    ended = change == NotificationChange.WITHDRAWN
    score = state.score if shared else None
    # The day to decide by would reveal the lead time, so a match_only state does not have it.
    common = state.common_window if shared and not ended and state.decide_by else None
    return OpportunityView(
        opportunity_id=state.opportunity_id,
        plan_id=own.plan_id or state.opportunity_id,
        partner_plan=(other.plan_id or said.introduced_to or "") if shared else "",
        partner_code=other.authority,
        partner=sanitise(partner, 80),
        shared=shared,
        ended=ended,
        own=said.own if shared else None,
        other=said.other if shared else None,
        title=sanitise(said.other.title, 160) if shared and said.other else "",
        strength=phrases.strength(band, score),
        note=phrases.change_note(change),
        partner_window=phrases.format_date_range(other.tender_window),
        partner_regions=phrases.places(other.regions),
        together_from=common.earliest if common else None,
        decide_by=state.decide_by if common else None,
        why=_why(state, said, authority, partner, ended=ended) if shared else "",
        caveats=phrases.caveats(state.reasons) if shared and not ended and said.introduced_to is None else "",
        near_miss=state.nearest_move is not None,
        contact=contact if shared and not ended else None,
        asked=change == "asked",
        introduced=change == "introduced" and shared,
        source=phrases.source(other.origin, other.notice) if shared else None,
        rank=(-RANK[band], -(score or 0.0), state.decide_by.isoformat() if state.decide_by and shared else "9999"),
    )


def _why(state: OpportunityState, said: DisclosedFacts, reader: str, partner: str, *, ended: bool) -> str:
    if said.introduced_to is not None and not ended:
        return "You have both said yes to an introduction."
    why = phrases.why(state.reasons, ended=ended)
    if state.nearest_move is None or ended:
        return why
    waits = "you" if state.nearest_move.authority == reader else sanitise(partner, 80)
    return f"{why} {phrases.say_move(state.nearest_move, waits)}"


def _summary(side: PlanSummary) -> PlanFacts:
    return PlanFacts(side.title or "", side.tender_window)


def contact_for(
    state: OpportunityState, other: PlanSummary, mailboxes: Mapping[str, str], *, introduced: bool = False
) -> str | None:
    """The partner's role mailbox, if it is known and both sides share openly or were introduced."""
    if not introduced and not are_open(*state.plans):
        return None
    return mailboxes.get(other.authority)
