"""Forms groups of plans that could go to market together, from the pairs that fit each other.

Every plan names its best group. A set is proposed if it is the best group of at least half its members. So the
result does not depend on the order in which plans came, and follows from the neighbours of its members alone: see
docs/decisions/0701.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Self

from matching.calendar import nations_of
from matching.lead_time import decide_by
from matching.plan import Window
from matching.text.formatting import authority_short_name, format_date, join_words


@dataclass(frozen=True, slots=True)
class FormationRules:
    """The conditions for proposing a group. `consensus`: the share of members whose best group it must be."""

    min_members: int = 3
    max_members: int = 8
    consensus: float = 0.5
    min_window_days: int = 14


DEFAULT_RULES: Final = FormationRules()


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """The facts of a plan that formation uses.

    `kin`: the codes of its authority, of predecessors and successors, and of authorities that will merge with it.
    """

    plan_id: str
    authority: str
    window: Window
    kin: frozenset[str] = frozenset()

    def is_kin(self, other: "GroupPlan") -> bool:
        """Whether both plans are of one authority, of an authority and its successor, or of two that will merge."""
        return self.authority == other.authority or self.authority in other.kin or other.authority in self.kin


@dataclass(frozen=True, slots=True)
class Fit:
    """The fit of two plans: the score (0 to 100), the common window, and the days of preparation and governance."""

    score: float
    window: Window
    lead_days: int


@dataclass(frozen=True, slots=True)
class FitGraph:
    """Plans and the fits between them. Each fit is in `fits` under both plans."""

    plans: Mapping[str, GroupPlan]
    fits: Mapping[str, Mapping[str, Fit]] = field(default_factory=dict)

    @classmethod
    def build(cls, plans: Iterable[GroupPlan], fits: Iterable[tuple[str, str, Fit]]) -> Self:
        """Build a graph from plans and pairs. Leaves out pairs with a plan that is not among them."""
        known = {plan.plan_id: plan for plan in plans}
        found: dict[str, dict[str, Fit]] = {}
        for one, other, fit in fits:
            if one in known and other in known and one != other:
                found.setdefault(one, {})[other] = fit
                found.setdefault(other, {})[one] = fit
        return cls(known, found)

    def neighbours(self, plan_id: str) -> Mapping[str, Fit]:
        """The plans that fit this plan."""
        return self.fits.get(plan_id, {})

    def fit(self, one: str, other: str) -> Fit | None:
        """The fit of two plans; None if they don't fit."""
        return self.neighbours(one).get(other)


@dataclass(frozen=True, slots=True)
class Group:
    """A set of plans that all fit each other; `members` are plan ids, sorted.

    `decide_by`: the last day to decide to tender together from the first day of `window`.
    """

    members: tuple[str, ...]
    window: Window
    lead_days: int
    decide_by: date


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A plan that fits some members and was left out. `because`: the reason, as a clause after "because"."""

    plan_id: str
    because: str


def best_group(graph: FitGraph, plan_id: str, as_of: date, rules: FormationRules = DEFAULT_RULES) -> Group | None:
    """The best group of one plan: adds each neighbour that fits every plan added before; None if no neighbour can join.

    Neighbours with the most neighbours in common come first, then those with the highest score. Fits change far less
    often than scores, so that an edit seldom changes a group.
    """
    group: Group | None = None
    neighbours = graph.neighbours(plan_id)
    in_common = {other: len(neighbours.keys() & graph.neighbours(other).keys()) for other in neighbours}
    for other in sorted(neighbours, key=lambda one: (-in_common[one], -neighbours[one].score, one)):
        members = group.members if group else (plan_id,)
        if len(members) == rules.max_members:
            break
        group = _join(graph, members, group, other, as_of, rules) or group
    return group


def put_forward(
    graph: FitGraph, plan_ids: Iterable[str], as_of: date, rules: FormationRules = DEFAULT_RULES
) -> list[Group]:
    """The groups to propose among the best groups of these plans, sorted by their members.

    The graph must hold all fits of these plans, of their neighbours, and of those plans' neighbours.
    """
    best: dict[str, Group | None] = {}

    def best_of(plan_id: str) -> Group | None:
        if plan_id not in best:
            best[plan_id] = best_group(graph, plan_id, as_of, rules)
        return best[plan_id]

    found: dict[tuple[str, ...], Group] = {}
    for plan_id in plan_ids:
        group = best_of(plan_id)
        if group is None or len(group.members) < rules.min_members or group.members in found:
            continue
        agreeing = sum(best_of(member) == group for member in group.members)
        if agreeing >= rules.consensus * len(group.members):
            found[group.members] = group
    return [found[members] for members in sorted(found)]


def joint_terms(graph: FitGraph, members: Collection[str]) -> Group | None:
    """The common window of all members and the day to decide by; None if two don't fit, or if all share no day."""
    ordered = tuple(sorted(members))
    pairs = [graph.fit(one, other) for number, one in enumerate(ordered) for other in ordered[number + 1 :]]
    fits = [fit for fit in pairs if fit is not None]
    if not fits or len(fits) < len(pairs):
        return None
    return _group(graph, ordered, fits)


def near_miss(graph: FitGraph, group: Group, as_of: date, rules: FormationRules = DEFAULT_RULES) -> NearMiss | None:
    """The plan that was left out most narrowly: it fits the most members, with the highest scores.

    A second plan of a member's own authority does not count.
    """
    authorities = {graph.plans[member].authority for member in group.members}
    fitting: dict[str, list[float]] = {}
    for member in group.members:
        for other, fit in graph.neighbours(member).items():
            if other not in group.members and graph.plans[other].authority not in authorities:
                fitting.setdefault(other, []).append(fit.score)
    # A near miss fits at least half the members: many plans fit one, and that explains nothing.
    near = {other: scores for other, scores in fitting.items() if 2 * len(scores) >= len(group.members)}
    if not near:
        return None
    nearest = min(near, key=lambda other: (-len(near[other]), -sum(near[other]), other))
    return NearMiss(nearest, _why_left_out(graph, group, nearest, as_of, rules))


def explain(graph: FitGraph, group: Group, as_of: date, rules: FormationRules = DEFAULT_RULES) -> str:
    """Explain the choice of members: "These plans fit each other; Hull was left out because ...".

    It gives no number: members may join or leave later.
    """
    missed = near_miss(graph, group, as_of, rules)
    if missed is None:
        return f"{_FIT}."
    left_out = authority_short_name(graph.plans[missed.plan_id].authority)
    return f"{_FIT}; {left_out} was left out because {missed.because}."


def why_split(graph: FitGraph, members: Sequence[str], as_of: date, rules: FormationRules = DEFAULT_RULES) -> str:
    """Explain why a group is no longer proposed: two plans that don't fit, or a window that is too short or too
    late."""
    ordered = sorted(members)
    for number, one in enumerate(ordered):
        for other in ordered[number + 1 :]:
            if graph.fit(one, other) is None:
                return f"{_name(graph, one)} and {_name(graph, other)} no longer fit each other."
    terms = joint_terms(graph, ordered)
    if terms is None:
        return "The plans no longer share a day on which all could go to market."
    if problem := _term_problem(terms, as_of, rules):
        return f"{problem[0].upper()}{problem[1:]}."
    return "Most members now fit better with others."


def _join(
    graph: FitGraph, members: tuple[str, ...], group: Group | None, other: str, as_of: date, rules: FormationRules
) -> Group | None:
    """The group with one more plan; None if that plan can't join it."""
    fits = [fit for member in members if (fit := graph.fit(member, other)) is not None]
    plan = graph.plans[other]
    if len(fits) < len(members) or any(plan.is_kin(graph.plans[member]) for member in members):
        return None
    joined = _group(graph, tuple(sorted((*members, other))), [*fits, *([group] if group else [])])
    return None if joined is None or _term_problem(joined, as_of, rules) else joined


def _group(graph: FitGraph, members: tuple[str, ...], parts: Sequence[Fit | Group]) -> Group | None:
    """The group of these members, from its fits and smaller groups; None if all share no day."""
    earliest, latest = max(part.window.earliest for part in parts), min(part.window.latest for part in parts)
    if earliest > latest:
        return None
    lead_days = max(part.lead_days for part in parts)
    plans = [graph.plans[member] for member in members]
    last_day = min(plan.window.latest for plan in plans).toordinal()
    nations = nations_of(plan.authority for plan in plans)
    day = decide_by(earliest.toordinal(), lead_days, last_day, nations)
    return Group(members, Window(earliest, latest), lead_days, date.fromordinal(day))


def _term_problem(group: Group, as_of: date, rules: FormationRules) -> str | None:
    days = (group.window.latest - group.window.earliest).days + 1
    if days < rules.min_window_days:
        shared = f"{days} day" if days == 1 else f"{days} days"
        return f"all would share only {shared}, and a joint tender needs {rules.min_window_days}"
    if group.decide_by < as_of:
        return f"all would have had to decide by {format_date(group.decide_by)}"
    return None


def _why_left_out(graph: FitGraph, group: Group, other: str, as_of: date, rules: FormationRules) -> str:
    plan = graph.plans[other]
    for member in group.members:
        if plan.is_kin(graph.plans[member]):
            return f"a plan of {_name(graph, member)} is in the group already"
    strangers = [member for member in group.members if graph.fit(member, other) is None]
    if strangers:
        return _why_strangers(plan, [graph.plans[member] for member in strangers])
    if len(group.members) >= rules.max_members:
        return f"a group has at most {rules.max_members} members"
    terms = joint_terms(graph, (*group.members, other))
    if terms is None:
        return "there is no day on which all could go to tender"
    return _term_problem(terms, as_of, rules) or "most members fit better without it"


def _why_strangers(plan: GroupPlan, strangers: Sequence[GroupPlan]) -> str:
    for member in strangers:
        if plan.window.latest < member.window.earliest:
            return f"its window ends before {authority_short_name(member.authority)}'s begins"
        if member.window.latest < plan.window.earliest:
            return f"its window begins after {authority_short_name(member.authority)}'s ends"
    return (
        f"its plan does not fit {join_words(sorted({authority_short_name(member.authority) for member in strangers}))}"
    )


def _name(graph: FitGraph, plan_id: str) -> str:
    plan = graph.plans.get(plan_id)
    return authority_short_name(plan.authority if plan else plan_id.partition(":")[0])


_FIT: Final = "These plans fit each other"
