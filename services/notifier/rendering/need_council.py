"""The councils of one block of an email: the suggested group's members, then partners of pairs. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from events.coalitions import CoalitionState
from events.fields import Window
from services.domain.deadlines import CoalitionDates
from services.domain.disclosure import PlanFacts, member_facts
from services.notifier.rendering.councils import short_name
from services.notifier.rendering.opportunity_view import OpportunityView
from services.notifier.rendering.plain_text import sanitise

IN_THE_GROUP: Final = "In the group"


@dataclass(frozen=True, slots=True)
class SuggestedGroup:
    """A group that the engine suggests, with the names of its councils, by code."""

    state: CoalitionState
    names: dict[str, str]


@dataclass(frozen=True, slots=True)
class NeedCouncil:
    """One council of a block, from the group or from a pair of its own.

    `extends`, `reader_extends`: who has to extend its present contract before the common window opens.
    """

    code: str
    plan_id: str
    name: str
    facts: PlanFacts
    fit: str
    dates: CoalitionDates | None
    in_group: bool
    why: str = ""
    caveats: str = ""
    contact: str | None = None
    source: str | None = None
    near_miss: bool = False
    extends: bool = False
    reader_extends: bool = False

    @property
    def title(self) -> str:
        """The title of its plan, short enough for a sentence."""
        return sanitise(self.facts.title, 60)


def need_councils(
    authority: str, items: Sequence[OpportunityView], group: SuggestedGroup | None
) -> tuple[NeedCouncil, ...]:
    """The group's members first, then partners that fit the reader alone, each once and strongest first."""
    pairs = {item.partner_plan: item for item in items}
    found = []
    if group is not None:
        own = next((one.tender_window for one in group.state.members if one.authority == authority), None)
        for member in group.state.members:
            if member.authority != authority:
                item = pairs.pop(member.plan_id, None)
                opens = group.state.together_from
                found.append(
                    NeedCouncil(
                        code=member.authority,
                        plan_id=member.plan_id,
                        name=short_name(member.authority, group.names),
                        facts=member_facts(member),
                        fit=_fit(item) if item else IN_THE_GROUP,
                        dates=CoalitionDates(opens, group.state.decide_by),
                        in_group=True,
                        caveats=item.caveats if item else "",
                        contact=item.contact if item else None,
                        source=item.source if item else None,
                        extends=_closes_before(member.tender_window, opens),
                        reader_extends=own is not None and _closes_before(own, opens),
                    )
                )
    return (*found, *(_alone(item) for item in pairs.values()))


def labels(councils: Sequence[NeedCouncil]) -> dict[str, str]:
    """A name for each plan: its council's, with the plan's title where the council is there with several."""
    plans = Counter(one.name for one in councils)
    return {
        one.plan_id: one.name if plans[one.name] == 1 or one.in_group else f"{one.name} ({one.title or 'another plan'})"
        for one in councils
    }


def _alone(item: OpportunityView) -> NeedCouncil:
    assert item.own is not None
    assert item.other is not None
    dates = None
    if item.together_from is not None and item.decide_by is not None:
        dates = CoalitionDates(item.together_from, item.decide_by)
    return NeedCouncil(
        code=item.partner_code,
        plan_id=item.partner_plan,
        name=short_name(item.partner_code, {item.partner_code: item.partner}),
        facts=item.other,
        fit=_fit(item),
        dates=dates,
        in_group=False,
        why=item.why,
        caveats=item.caveats,
        contact=item.contact,
        source=item.source,
        near_miss=item.near_miss,
        extends=dates is not None and _closes_before(item.other.tender_window, dates.together_from),
        reader_extends=dates is not None and _closes_before(item.own.tender_window, dates.together_from),
    )


def _closes_before(window: Window, day: date) -> bool:
    """Whether a window ends before a common window opens: only an extension of the contract leads that far."""
    return window.latest < day


def _fit(item: OpportunityView) -> str:
    return f"{item.strength}; {item.note}" if item.note else item.strength
