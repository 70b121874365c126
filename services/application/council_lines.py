"""The lines of a group: one plan each, with the facts that its council shares with the reader."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date

from events.coalitions import CoalitionMember, CoalitionState
from events.fields import Window
from events.opportunities import PlanSummary
from matching.text.formatting import name_of
from services.domain.disclosure import (
    PlanFacts,
    member_facts,
    read_facts,
)
from services.domain.reorganisation import is_dissolved, name_on
from services.store.plans import PlanRecord


@dataclass(frozen=True, slots=True)
class CouncilLine:
    """One plan of a group. Fields that are not shared or not known are empty."""

    authority: str
    council: str
    plan_id: str
    state: str
    window: Window
    title: str = ""
    value: float | None = None
    stage: str = ""
    contract_ends: date | None = None
    supplier: str = ""
    preference: str | None = None
    interest: str | None = None
    committed: bool = False
    leads: bool = False


def by_present_name(lines: Sequence[CouncilLine], today: date) -> tuple[CouncilLine, ...]:
    """The lines of councils by their names of today: a dissolved one by its successor's."""
    return tuple(
        replace(one, council=name_on(one.authority, today)) if is_dissolved(one.authority, today) else one
        for one in lines
    )


def guest_lines(state: CoalitionState, lines: Sequence[CouncilLine], shown: Collection[str]) -> tuple[CouncilLine, ...]:
    """The plans that the reader can invite: visible members not asked or without an answer, and visible proposals."""
    members = [line for line in lines if line.state in ("suggested", "lapsed") and line.plan_id in shown]
    proposed = [
        CouncilLine(one.authority, name_of(one.authority), one.plan_id, "proposed", state.common_window)
        for one in state.proposals
        if one.kind == "fits-too" and one.plan_id in shown
    ]
    return (*members, *proposed)


def own_line(plan: PlanRecord | None, authority: str, plan_id: str, window: Window) -> CouncilLine:
    """The reader's own plan, by all its stored facts."""
    line = CouncilLine(authority, "Your council", plan_id, "", window)
    return describe(line, read_facts(plan.state)) if plan is not None and plan.state else line


def partner_line(side: PlanSummary, facts: PlanFacts | None) -> CouncilLine:
    """The other plan of a pair, by the facts that the reader may see; None if it may see none."""
    line = CouncilLine(side.authority, name_of(side.authority), "", "", side.tender_window)
    return describe(line, facts) if facts is not None else line


def describe(line: CouncilLine, facts: PlanFacts) -> CouncilLine:
    """Add the facts of a plan to its line."""
    return replace(
        line,
        window=facts.tender_window,
        title=facts.title,
        value=facts.value,
        stage=facts.stage,
        contract_ends=facts.contract_ends,
        supplier=facts.supplier,
        preference=facts.preference,
    )


def member_line(member: CoalitionMember, state: CoalitionState, *, shows: bool) -> CouncilLine:
    """A member of a coalition; without its facts unless the reader may see them."""
    line = CouncilLine(
        authority=member.authority,
        council=name_of(member.authority),
        plan_id=member.plan_id,
        state=member.state,
        window=member.tender_window,
        interest=member.interest,
        committed=member.committed,
        leads=member.plan_id == state.lead,
    )
    if not shows:
        return line
    return describe(line, member_facts(member))
