"""Previews what a change of a plan's dates would gain and lose: partners and groups, by a scan over stored vectors.

Nothing is written. Only openly shared plans count; of others not even the number is shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from matching.assessment import Assessment, Band, LimitCode
from matching.calendar import add_months
from matching.coalitions import Fit, FitGraph, Group, GroupPlan, put_forward, why_split
from matching.features import Features, kin_of
from matching.plan import Plan, Status, Window
from services.application.explain import ExplainContext, ExplainError
from services.domain.disclosure import are_open
from services.domain.reorganisation import full_name_on, name_on, waits_for_person
from services.store import plans, responses
from services.store.mapping import plan_from_store
from services.store.pipelined_queries import fetch
from services.store.plan_fits import FitReader

TOLD: Final = (Band.NOTIFY, Band.DIGEST)
"""The bands of matches that authorities are notified of, and that groups are formed from."""


@dataclass(frozen=True, slots=True)
class Change:
    """The change to try. `months` moves the whole window; `extension` is the possible extension of the contract."""

    window: Window | None = None
    months: int | None = None
    extension: int | None = None

    def apply(self, plan: Plan) -> Plan:
        """Apply the change to a plan. Raises ExplainError if it does not apply."""
        window = self.window
        if self.months is not None:
            own = plan.tender_window
            window = Window(add_months(own.earliest, self.months), add_months(own.latest, self.months))
        if window is not None:
            return replace(plan, tender_window=window)
        if plan.contract_end is None:
            raise ExplainError(
                f"the plan {plan.plan_id} names no present contract that ends, so there is nothing to extend"
            )
        return replace(plan, extension_months=self.extension or 0)


@dataclass(frozen=True, slots=True)
class PartnerChange:
    """One partner gained, or lost, with the reason in `because`. `common_window` is that of the match."""

    plan_id: str
    authority: str
    authority_name: str
    title: str
    band: str
    score: float | None
    common_window: tuple[date, date] | None
    because: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupChange:
    """One group gained, or lost, with the reason in `because`: its plans, their councils and their common window."""

    plans: tuple[str, ...]
    councils: tuple[str, ...]
    window: tuple[date, date]
    because: str = ""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The effects of the change. `kept`: the number of partners both before and after."""

    plan_id: str
    as_of: date
    window: tuple[date, date]
    extension_months: int
    gained: tuple[PartnerChange, ...]
    lost: tuple[PartnerChange, ...]
    kept: int
    groups_gained: tuple[GroupChange, ...]
    groups_lost: tuple[GroupChange, ...]


async def what_if(view: ExplainContext, plan_id: str, change: Change) -> WhatIf:
    """Try a change of one plan. Raises ExplainError if the plan is unknown, not active or not shared openly."""
    own = await _own_plan(view, plan_id)
    changed = change.apply(own)
    now = (await view.context.features.load(view.session, [plan_id]))[plan_id]
    then = view.context.engine.with_revision(now, changed)
    before, after = [_told(await _assess(view, one)) for one in (now, then)]
    groups_gained, groups_lost = await _groups(view, (now, before), (then, after))
    return WhatIf(
        plan_id=plan_id,
        as_of=view.as_of,
        window=(changed.tender_window.earliest, changed.tender_window.latest),
        extension_months=changed.extension_months,
        gained=_ranked(_partner(view, *after[key]) for key in after.keys() - before.keys()),
        lost=_ranked(
            _partner(view, *before[key], because=_because(view, then, before[key][1]))
            for key in before.keys() - after.keys()
        ),
        kept=len(before.keys() & after.keys()),
        groups_gained=groups_gained,
        groups_lost=groups_lost,
    )


async def _own_plan(view: ExplainContext, plan_id: str) -> Plan:
    row = (await plans.by_id(view.session, [plan_id])).get(plan_id)
    own = plan_from_store(row) if row is not None else None
    if own is None:
        raise ExplainError(f"there is no plan {plan_id}; a plan id is the authority, a colon and its reference")
    if own.status is not Status.ACTIVE:
        raise ExplainError(f"the plan {plan_id} is {own.status.value}: it can have no partners")
    if not are_open(own):
        raise ExplainError(f"the plan {plan_id} is not shared openly; what it could gain would tell of others' plans")
    return own


Found = Mapping[str, tuple[Assessment, Features]]


async def _assess(view: ExplainContext, own: Features) -> Found:
    """The openly shared candidates for a plan, each with its assessment."""
    index, key = view.context.index, own.plan.plan_id
    delta = await fetch(view.session, index.delta())
    near = (await index.search(view.session, {key: own}, view.as_of, delta))[key]
    others = await view.context.features.load_revisions(view.session, near)
    pairs = {other: (min(key, other), max(key, other)) for other in others}
    unlike = await responses.silenced(view.session, pairs.values())
    return {
        other: (view.context.engine.assess(own, one, view.as_of), one)
        for other, one in others.items()
        if are_open(one.plan) and pairs[other] not in unlike and not waits_for_person(one.plan.authority, view.as_of)
    }


def _told(found: Found) -> Found:
    """The partners among the candidates: in a notified band, with a common window."""
    return {other: pair for other, pair in found.items() if pair[0].band in TOLD and pair[0].common_window is not None}


def _because(view: ExplainContext, own: Features, other: Features) -> tuple[str, ...]:
    """Why a partner is lost: the gates that close, or dates that fit too little."""
    found = view.context.engine.assess(own, other, view.as_of)
    apart = [limit.sentence for limit in found.limits if limit.code is LimitCode.NEAR_MISS]
    return (*(gate.sentence for gate in found.gates), *apart) or ("The dates would fit too little.",)


def _partner(view: ExplainContext, found: Assessment, other: Features, because: tuple[str, ...] = ()) -> PartnerChange:
    common = found.common_window
    return PartnerChange(
        plan_id=other.plan.plan_id,
        authority=other.plan.authority,
        authority_name=full_name_on(other.plan.authority, view.as_of),
        title=other.plan.title,
        band=found.band.value,
        score=found.score,
        common_window=(common.earliest, common.latest) if common else None,
        because=because,
    )


def _ranked(partners: Iterable[PartnerChange]) -> tuple[PartnerChange, ...]:
    return tuple(sorted(partners, key=lambda one: (-(one.score or 0.0), one.plan_id)))


async def _groups(
    view: ExplainContext, before: tuple[Features, Found], after: tuple[Features, Found]
) -> tuple[tuple[GroupChange, ...], tuple[GroupChange, ...]]:
    """The groups that would appear and disappear, both the plan's own and other groups that it affects."""
    seeds = {before[0].plan.plan_id, *before[1], *after[1]}
    stored = await FitReader(view.session).graph(seeds)
    old, new = (_with_own(stored, own, told) for own, told in (before, after))
    here, there = (
        {
            group.members: group
            for group in put_forward(graph, sorted(seeds & graph.plans.keys()), view.as_of)
            if not any(waits_for_person(graph.plans[one].authority, view.as_of) for one in group.members)
        }
        for graph in (old, new)
    )
    gained = [_group(view, new, there[key]) for key in sorted(there.keys() - here.keys())]
    lost = [_group(view, old, here[key], why_split(new, key, view.as_of)) for key in sorted(here.keys() - there.keys())]
    return tuple(gained), tuple(lost)


def _with_own(stored: FitGraph, own: Features, told: Found) -> FitGraph:
    """The stored fits, with one plan's fits replaced."""
    key = own.plan.plan_id
    known = {**stored.plans, **{one.plan.plan_id: _group_plan(one) for one in (own, *(o for _, o in told.values()))}}
    fits = [(one, two, fit) for one, near in stored.fits.items() for two, fit in near.items() if key not in (one, two)]
    fits += [
        (key, other, Fit(found.score, found.common_window, found.lead_days))
        for other, (found, _) in told.items()
        if found.common_window is not None
    ]
    return FitGraph.build(known.values(), fits)


def _group_plan(one: Features) -> GroupPlan:
    return GroupPlan(one.plan.plan_id, one.plan.authority, one.plan.tender_window, kin_of(one.plan.authority))


def _group(view: ExplainContext, graph: FitGraph, group: Group, because: str = "") -> GroupChange:
    councils = tuple(name_on(graph.plans[member].authority, view.as_of) for member in group.members)
    return GroupChange(group.members, councils, (group.window.earliest, group.window.latest), because)
