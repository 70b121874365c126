"""The scenario's plans as they stood on a day, and what councils' answers came to by then."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from events.plans import PlanAwarded, PlanState
from tests.year.acts import PlanEvent, Said

OUT: Final = ("leave", "decline", "not-the-same", "not-this-time")
"""How a council is out of a coalition."""


@dataclass(frozen=True)
class History:
    """A plan up to a day: its whole states and its last event."""

    events: Sequence[PlanEvent]

    @property
    def states(self) -> list[PlanEvent]:
        return [one for one in self.events if isinstance(one.payload, PlanState)]

    @property
    def state(self) -> PlanState:
        found = self.states[-1].payload
        assert isinstance(found, PlanState)
        return found

    @property
    def authority(self) -> str:
        return self.state.authority

    @property
    def stands(self) -> bool:
        return isinstance(self.events[-1].payload, PlanState)

    @property
    def awarded_on(self) -> date | None:
        return self.events[-1].day if isinstance(self.events[-1].payload, PlanAwarded) else None

    @property
    def own(self) -> list[PlanEvent]:
        return [one for one in self.events if not one.notice]

    @property
    def shared_on(self) -> date | None:
        """The day on which the council first shared it."""
        days = [one.day for one in self.states if not one.notice and one.payload.sharing != "private"]  # type: ignore[union-attr]
        return min(days, default=None)

    @property
    def tendered_on(self) -> date | None:
        return min((one.day for one in self.states if one.payload.stage == "tendering"), default=None)  # type: ignore[union-attr]

    @property
    def pounds(self) -> float:
        return self.state.value.amount if self.state.value and self.state.value.amount else 0.0


def together(plans: Mapping[str, History], said: Sequence[Said]) -> dict[str, date]:
    """Since when each plan is in a coalition of two or more.

    Whoever left, said no, withdrew its plan or went to market before the lead is in none.
    """
    coalitions: dict[str, dict[str, date]] = {}
    leads = {thing(one): plans[one.plan_id] for one in said if one.kind == "invited"}
    for one in said:
        members = coalitions.setdefault(thing(one), {})
        if one.kind in ("invited", "accept", "join"):
            members.setdefault(one.plan_id, one.day)
        elif one.kind in OUT:
            members.pop(one.plan_id, None)
    found: list[tuple[str, date]] = []
    for about, members in coalitions.items():
        open_plans = {one: day for one, day in members.items() if _is_open(plans[one]) or plans[one].awarded_on}
        still = {one: day for one, day in open_plans.items() if not _went_alone(plans[one], leads[about])}
        if len(still) > 1:
            second = sorted(still.values())[1]
            found += [(one, max(day, second)) for one, day in still.items()]
    return first_days(found)


def _went_alone(plan: History, lead: History) -> bool:
    went = plan.tendered_on or plan.awarded_on
    return went is not None and (lead.tendered_on is None or went < lead.tendered_on)


def _is_open(plan: History) -> bool:
    return plan.stands and plan.state.sharing == "open"


def interest(said: Sequence[Said]) -> dict[str, date]:
    """Since when each plan's council and another one are interested in the same thing."""
    things: dict[str, dict[str, date]] = {}
    for one in said:
        if one.kind in ("interested", "other-dates"):
            things.setdefault(thing(one), {}).setdefault(one.plan_id, one.day)
    found = []
    for plans in things.values():
        for plan_id, day in plans.items():
            others = [when for other, when in plans.items() if other != plan_id]
            found += [(plan_id, max(day, min(others)))] if others else []
    return first_days(found)


def thing(one: Said) -> str:
    """What an answer is about: the coalition or the pair of its story."""
    key = one.plan_id.split(":")[1]
    is_pair = one.about == "pair" and one.kind != "invited"
    return f"{key} {'-'.join(sorted((one.plan_id, one.partner)))}" if is_pair else key


def first_days(found: Iterable[tuple[str, date]]) -> dict[str, date]:
    first: dict[str, date] = {}
    for plan_id, day in found:
        first[plan_id] = min(day, first.get(plan_id, day))
    return first
