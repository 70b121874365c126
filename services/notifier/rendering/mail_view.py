"""What an email about opportunities says: one block for each need of its reader. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

from services.domain.framework_prompt import Usable
from services.domain.notification_schedule import MAX_ITEMS_IN_A_LINE, MAX_ITEMS_IN_FULL
from services.notifier.rendering import need_block, subject_line
from services.notifier.rendering.need_block import Block, SuggestedGroup
from services.notifier.rendering.opportunity_view import OpportunityView
from services.notifier.rendering.plain_text import sanitise
from services.store.partner_plans import OverCapCount

MAX_SUPPLIERS: Final = 3


@dataclass(frozen=True, slots=True)
class EmailView:
    """A whole email: `blocks` are needs in full, `brief` opportunities in a line each, under the own plan's name;
    `closed` are those of which one side shares only that there is a match, `asked` those of them whose partner asks to
    be introduced. `later`: names of authorities that the email tells of, each with the words for how many more matches
    with it are told later. `stop_link`: a page that pauses or stops emails, where there is one. `suppliers`: groups of
    councils whose contracts with one supplier end together."""

    authority: str
    name: str
    purpose: str
    subject: str
    preheader: str
    blocks: tuple[Block, ...]
    ended: tuple[tuple[str, tuple[OpportunityView, ...]], ...]
    asked: tuple[OpportunityView, ...]
    closed: tuple[OpportunityView, ...]
    brief: tuple[tuple[str, tuple[OpportunityView, ...]], ...]
    signed_on: date | None = None
    later: tuple[tuple[str, str], ...] = ()
    stop_link: str | None = None
    suppliers: tuple[str, ...] = ()


def email_view(
    authority: str,
    name: str,
    purpose: str,
    items: Sequence[OpportunityView],
    today: date,
    groups: Mapping[str, SuggestedGroup] = MappingProxyType({}),
    later: Mapping[str, OverCapCount] = MappingProxyType({}),
    signed_on: date | None = None,
    frameworks: Mapping[str, Usable] = MappingProxyType({}),
    notes: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    suppliers: tuple[str, ...] = (),
) -> EmailView:
    """Composes an email of the items; at least one, at most ITEMS_IN_FULL + ITEMS_IN_A_LINE.

    `groups`: suggested groups by the reader's own plan. `later`: by authority, how many more matches wait because an
    email tells of only so many with one. `frameworks`: those that a plan can use, by plan.
    `notes`: what else the reader has to know of its own plans, by plan. `suppliers`: sentences about its suppliers.
    """
    assert 0 < len(items) <= MAX_ITEMS_IN_FULL + MAX_ITEMS_IN_A_LINE
    ordered = sorted(items, key=lambda entry: (entry.rank, entry.opportunity_id))
    shared = [entry for entry in ordered if entry.shared]
    current = [entry for entry in shared if not entry.ended]
    ended = tuple(entry for entry in ordered if entry.ended)
    closed = [entry for entry in ordered if not entry.shared and not entry.ended]
    asked = tuple(entry for entry in closed if entry.asked)
    blocks = tuple(
        need_block.build(authority, own, groups.get(own[0].plan_id), today, frameworks, notes.get(own[0].plan_id, ()))
        for own in _by_plan(current[:MAX_ITEMS_IN_FULL])
    )
    partners = {entry.partner_code: entry.partner for entry in shared}
    return EmailView(
        authority=authority,
        name=sanitise(name, 80),
        purpose=purpose,
        subject=subject_line.subject("asked" if asked else purpose, blocks, shared, len(_by_plan(shared))),
        preheader=_preheader(blocks, ended),
        blocks=blocks,
        ended=_headed(ended),
        asked=asked,
        closed=tuple(entry for entry in closed if not entry.asked),
        brief=_headed(current[MAX_ITEMS_IN_FULL:]),
        signed_on=signed_on,
        suppliers=suppliers[:MAX_SUPPLIERS],
        later=tuple((partner, _number(later[code])) for code, partner in partners.items() if code in later),
    )


def _number(waiting: OverCapCount) -> str:
    return f"at least {waiting.count}" if waiting.at_least else str(waiting.count)


def _by_plan(items: Sequence[OpportunityView]) -> list[tuple[OpportunityView, ...]]:
    groups: dict[str, list[OpportunityView]] = {}
    for entry in items:
        groups.setdefault(entry.plan_id, []).append(entry)
    return [tuple(own) for own in groups.values()]


def _headed(items: Sequence[OpportunityView]) -> tuple[tuple[str, tuple[OpportunityView, ...]], ...]:
    """Opportunities under the reader's own plans; those that are not shared under no plan."""
    shared = [(need_block.heading(own[0]), own) for own in _by_plan([entry for entry in items if entry.shared])]
    closed = tuple(entry for entry in items if not entry.shared)
    return (*shared, *((("", closed),) if closed else ()))


def _preheader(blocks: Sequence[Block], ended: Sequence[OpportunityView]) -> str:
    if blocks:
        return blocks[0].preheader
    return next((entry.why for entry in ended if entry.why), "")
