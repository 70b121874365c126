"""What a weekly email tells of one saved search: plans that have come to fit it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.domain.disclosure import PlanFacts
from services.notifier.rendering.councils import months, short_name
from services.notifier.rendering.headline import Headline
from services.notifier.rendering.plain_text import sanitise

MAX_PLANS: Final = 5
"""An email names at most this many plans of one search; the page shows more."""


@dataclass(frozen=True, slots=True)
class SearchSection:
    """One saved search: its name, a line for each plan named, and how many more there are."""

    name: str
    lines: tuple[str, ...]
    more: int

    @property
    def count(self) -> int:
        """The number of plans."""
        return len(self.lines) + self.more


def search_section(name: str, found: Sequence[tuple[str, str, PlanFacts]]) -> SearchSection:
    """Build the section. `found`: plans with their authority's code and name."""
    ordered = sorted(found, key=lambda one: (one[2].tender_window.earliest, one[1]))
    lines = tuple(_line(short_name(code, {code: council}), facts) for code, council, facts in ordered[:MAX_PLANS])
    return SearchSection(sanitise(name, 100), lines, max(0, len(ordered) - MAX_PLANS))


def headline(sections: Sequence[SearchSection]) -> Headline:
    """The headline of a weekly email that tells of nothing else."""
    count = sum(one.count for one in sections)
    what = sections[0].name if len(sections) == 1 else "Your saved searches"
    return Headline(what, f": {count} new {'plan' if count == 1 else 'plans'}")


def _line(council: str, facts: PlanFacts) -> str:
    title = sanitise(facts.title, 120) or "A plan without a title"
    return f"{council}: {title}, tender {months(facts.tender_window)}"
