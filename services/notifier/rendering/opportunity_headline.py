"""The headline of an email about opportunities: the reader's own need first, then the possible partners. Pure."""

from collections.abc import Sequence
from typing import Final

from matching.reference import authority
from services.notifier.rendering import phrases
from services.notifier.rendering.councils import reference, short_day
from services.notifier.rendering.headline import SUBJECT_LENGTH, Headline
from services.notifier.rendering.need_block import Block
from services.notifier.rendering.opportunity_view import OpportunityView
from services.notifier.rendering.plain_text import sanitise

MIN_NEED: Final = 22
"""The reader's own need keeps at least this many characters, if it has them; the rest of the subject shrinks first."""
CLOSED: Final = {
    "asked": "A council asks to be introduced to you",
    "correction": "A match of yours no longer holds",
    "digest": "A council may plan what you plan",
    "immediate": "A council plans what you plan",
}
"""Subjects of match_only matches: they reveal neither plan, nor the partner."""


def headline(purpose: str, blocks: Sequence[Block], shared: Sequence[OpportunityView], plans: int) -> Headline:
    """Build the headline. `shared`: the openly shared opportunities, strongest first; `plans`: the number of the
    reader's plans that they concern. The fullest variant that leaves the need MIN_NEED characters of the subject wins.
    """
    if not shared:
        return Headline("", CLOSED[purpose])
    first = shared[0]
    own = sanitise(first.own.title, 120) if first.own else ""
    need = own or f"your plan {reference(first.plan_id)}"
    more = f" and {plans - 1} more" if plans > 1 else ""
    said = _variants(purpose, blocks, shared, plans)
    room = [SUBJECT_LENGTH - len(more) - len(one) for one in said]
    fits = next((n for n, left in enumerate(room) if left >= min(len(need), MIN_NEED)), len(said) - 1)
    return Headline(need, more + said[fits])


def _variants(purpose: str, blocks: Sequence[Block], shared: Sequence[OpportunityView], plans: int) -> list[str]:
    """Variants of the subject, the fullest first."""
    partners = {entry.partner_code: _short(entry) for entry in shared}
    codes = set(partners).union(*(block.codes for block in blocks)) if blocks else set(partners)
    noun = phrases.partner_noun(sorted(codes))
    counted = f"{len(codes)} {noun}" if len(codes) > 1 else f"1 {noun.replace('ies', 'y').removesuffix('s')}"
    alone = next(iter(partners.values())) if len(codes) == 1 else counted
    who = alone if len(alone) <= SUBJECT_LENGTH // 3 else counted
    if purpose == "correction":
        return [f": no match with {who} now"]
    if purpose == "digest":
        return [f": {who} may buy it too"]
    if any(entry.introduced for entry in shared):
        return [f": introduced to {who}"]
    due = blocks[0].reply_by if blocks and plans == 1 else None
    asked = (f"{who} could join you.", f"with {who}?") if due else ()
    return [*(f": {one} Reply by {short_day(due)}" for one in asked if due), f": {who} could join you"]


def _short(entry: OpportunityView) -> str:
    known = authority(entry.partner_code)
    return known.short_name if known else entry.partner
