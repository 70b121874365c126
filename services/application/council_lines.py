"""The lines of a group: one plan each, with the facts that its council shares with the reader."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date

from events.coalitions import CoalitionMember, CoalitionState, MemberState
from events.fields import Window
from events.opportunities import PlanSummary
from services.domain.disclosure import PlanFacts, member_facts, read_facts
from services.domain.reorganisation import name_on, waits_for_person
from services.store.plans import PlanRecord


@dataclass(frozen=True, slots=True)
class CouncilLine:
    """One plan of a group. Fields that are not shared or not known are empty.

    `waits`: its council has ceased to be, and nobody has taken over the plan yet.
    """

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
    waits: bool = False


def guest_lines(
    state: CoalitionState, lines: Sequence[CouncilLine], shown: Collection[str], today: date
) -> tuple[CouncilLine, ...]:
    """The plans that the reader can invite: visible members not asked or without an answer, and visible proposals."""
    members = [
        line for line in lines if line.state in (MemberState.SUGGESTED, MemberState.LAPSED) and line.plan_id in shown
    ]
    proposed = [
        other_line(one.authority, one.plan_id, "proposed", state.common_window, today)
        for one in state.proposals
        if one.kind == "fits-too" and one.plan_id in shown
    ]
    return tuple(line for line in (*members, *proposed) if not line.waits)


def own_line(plan: PlanRecord | None, authority: str, plan_id: str, window: Window) -> CouncilLine:
    """The reader's own plan, by all its stored facts."""
    line = CouncilLine(authority, "Your council", plan_id, "", window)
    return describe(line, read_facts(plan.state)) if plan is not None and plan.state else line


def other_line(authority: str, plan_id: str, state: str, window: Window, today: date) -> CouncilLine:
    """The line of another council's plan, by the council's name of today, without facts of the plan."""
    waits = waits_for_person(authority, today)
    return CouncilLine(authority, name_on(authority, today), plan_id, state, window, waits=waits)


def partner_line(side: PlanSummary, facts: PlanFacts | None, today: date) -> CouncilLine:
    """The other plan of a pair, with the facts that the reader may see."""
    line = other_line(side.authority, "", "", side.tender_window, today)
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


def member_line(member: CoalitionMember, state: CoalitionState, today: date, *, shows: bool) -> CouncilLine:
    """The line of a coalition's member. Without `shows` it has no facts of its plan."""
    line = replace(
        other_line(member.authority, member.plan_id, member.state, member.tender_window, today),
        interest=member.interest,
        committed=member.committed,
        leads=member.plan_id == state.lead,
    )
    if not shows:
        return line
    return describe(line, member_facts(member))
