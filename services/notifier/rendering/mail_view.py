"""The content of an email about opportunities: one block for each of the reader's needs. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

from services.domain.framework_prompt import Usable
from services.domain.notification_schedule import MAX_ITEMS_IN_A_LINE, MAX_ITEMS_IN_FULL
from services.notifier.rendering import need_block, opportunity_headline, search_section
from services.notifier.rendering.headline import Headline
from services.notifier.rendering.need_block import Block
from services.notifier.rendering.need_council import SuggestedGroup
from services.notifier.rendering.opportunity_view import OpportunityView
from services.notifier.rendering.plain_text import sanitise
from services.notifier.rendering.search_section import SearchSection
from services.store.partner_plans import OverCapCount

MAX_SUPPLIERS: Final = 3


@dataclass(frozen=True, slots=True)
class EmailView:
    """A whole email. `blocks` are needs in full, `brief` opportunities in one line each, by the own plan's name.

    `closed` are match_only opportunities; `asked` are those of them whose partner asks for an introduction. `later`:
    names of authorities, each with the words for the number of further matches in later emails. `stop_link`: the page
    that pauses or stops emails, if there is one. `suppliers`: groups of councils whose contracts with one supplier end
    together. `searches`: plans that have come to fit the reader's saved searches; `search_link`: the page with them.
    """

    authority: str
    name: str
    purpose: str
    headline: Headline
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
    searches: tuple[SearchSection, ...] = ()
    search_link: str | None = None


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
    searches: tuple[SearchSection, ...] = (),
) -> EmailView:
    """Compose an email of at most MAX_ITEMS_IN_FULL + MAX_ITEMS_IN_A_LINE items. It has an item or a search's news.

    `groups`: suggested groups by the reader's own plan. `later`: by authority, the number of matches over a cap.
    `frameworks`: the usable frameworks of each plan. `notes`: further notes on each of the reader's own plans.
    `suppliers`: sentences on suppliers that the reader shares with others. `searches`: news of saved searches.
    """
    assert items or searches
    assert len(items) <= MAX_ITEMS_IN_FULL + MAX_ITEMS_IN_A_LINE
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
    headline = opportunity_headline.headline("asked" if asked else purpose, blocks, shared, len(_by_plan(shared)))
    return EmailView(
        authority=authority,
        name=sanitise(name, 80),
        purpose=purpose,
        headline=headline if items else search_section.headline(searches),
        preheader=_preheader(blocks, ended, searches),
        blocks=blocks,
        ended=_headed(ended),
        asked=asked,
        closed=tuple(entry for entry in closed if not entry.asked),
        brief=_headed(current[MAX_ITEMS_IN_FULL:]),
        signed_on=signed_on,
        suppliers=suppliers[:MAX_SUPPLIERS],
        searches=searches,
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
    """Groups opportunities under the reader's own plans; match_only ones come last, without a plan."""
    shared = [(need_block.heading(own[0]), own) for own in _by_plan([entry for entry in items if entry.shared])]
    closed = tuple(entry for entry in items if not entry.shared)
    return (*shared, *((("", closed),) if closed else ()))


def _preheader(blocks: Sequence[Block], ended: Sequence[OpportunityView], searches: Sequence[SearchSection]) -> str:
    if blocks:
        return blocks[0].preheader
    first = searches[0].lines[0] if searches else ""
    return next((entry.why for entry in ended if entry.why), first)
