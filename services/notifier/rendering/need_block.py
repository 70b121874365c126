"""One need of the reader in an email: its own plan, a table of councils, the dates, and the reasons. Pure."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from events.coalitions import CoalitionState
from matching.calendar import nations_of
from matching.text.formatting import format_date
from services.domain.coalition import suggest_lead
from services.domain.deadlines import CoalitionDates, DeadlineError, reply_by
from services.domain.disclosure import PlanFacts, member_facts
from services.domain.framework_prompt import Usable, framework_prompts
from services.notifier.rendering.councils import (
    CouncilRow,
    council_row,
    own_plan_line,
    reference,
    short_day,
    short_name,
    worth,
)
from services.notifier.rendering.opportunity_view import OpportunityView
from services.notifier.rendering.phrases import count_words, join_words
from services.notifier.rendering.plain_text import sanitise

TOO_LATE: Final = "It is too late to invite anybody to this; you can still share what you learned."
ANSWER: Final = (
    "Interested, not for us, or ask me later: reply with one of these and the reference {reference}. "
    "A person enters your answer; it binds nobody."
)
IN_THE_GROUP: Final = "In the group"


@dataclass(frozen=True, slots=True)
class SuggestedGroup:
    """A group that the engine suggests, with the names of its councils, by code."""

    state: CoalitionState
    names: dict[str, str]


@dataclass(frozen=True, slots=True)
class Block:
    """One need. `councils`: names of the other councils; `reply_by`: None if it is too late to invite; `contacts`:
    councils and their role mailboxes; `link`: the page about it, if there is one."""

    plan_id: str
    title: str
    heading: str
    preheader: str
    opening: str
    rows: tuple[CouncilRow, ...]
    councils: tuple[str, ...]
    codes: frozenset[str]
    dates: tuple[tuple[str, str], ...]
    reply_by: date | None
    notes: tuple[str, ...]
    why: tuple[str, ...]
    answer: str
    contacts: tuple[tuple[str, str], ...]
    contact_subject: str
    link: str | None = None


@dataclass(frozen=True, slots=True)
class _Council:
    """One council of a block, from the group or from a pair of its own."""

    code: str
    plan_id: str
    name: str
    facts: PlanFacts
    fit: str
    dates: CoalitionDates | None
    in_group: bool
    why: str = ""
    contact: str | None = None
    source: str | None = None
    near_miss: bool = False


def build(
    authority: str,
    items: Sequence[OpportunityView],
    group: SuggestedGroup | None,
    today: date,
    frameworks: Mapping[str, Usable],
    own_notes: Sequence[str],
) -> Block:
    """Builds the block of one plan of `authority`, from openly shared pairs and the suggested group, if there is one.

    `frameworks`: the usable frameworks of each plan. `own_notes`: further notes on the own plan.
    """
    first = items[0]
    own = first.own
    assert own is not None
    councils = _councils(authority, items, group)
    lead = _lead(first.plan_id, own, councils, group)
    days = [one.dates for one in councils if one.dates is not None]
    due = _reply_by(today, days, [authority, *(one.code for one in councils)])
    names = tuple(dict.fromkeys(one.name for one in councils))
    together = min((day.together_from for day in days), default=None)
    return Block(
        plan_id=first.plan_id,
        title=sanitise(own.title, 120),
        heading=heading(first),
        preheader=_preheader(names, own, councils, together, due),
        opening=_opening(first.plan_id, councils, lead, names),
        rows=tuple(council_row(one.name + _leads(one, lead), one.facts, one.fit) for one in councils),
        councils=names,
        codes=frozenset(one.code for one in councils),
        dates=_dates(councils, due),
        reply_by=due,
        notes=(
            *_frameworks(first.plan_id, councils, frameworks),
            *_notes(councils, own, together, bool(days) and due is None),
            *own_notes,
        ),
        why=_why(councils, group),
        answer=ANSWER.format(reference=reference(first.plan_id)),
        contacts=tuple((one.name, one.contact) for one in councils if one.contact),
        contact_subject=f"{sanitise(own.title, 80) or 'Your plan'} ({reference(first.plan_id)})",
    )


def heading(item: OpportunityView) -> str:
    """The heading over one of the reader's own plans."""
    own = reference(item.plan_id)
    return f"Your plan: {own_plan_line(item.own, item.plan_id)}" if item.own and item.own.title else f"Your plan {own}"


def _councils(authority: str, items: Sequence[OpportunityView], group: SuggestedGroup | None) -> list[_Council]:
    """The group's members first, then partners that fit the reader alone, each once and strongest first."""
    pairs = {item.partner_plan: item for item in items}
    found: list[_Council] = []
    if group is not None:
        dates = CoalitionDates(group.state.together_from, group.state.decide_by)
        for member in group.state.members:
            if member.authority != authority:
                item = pairs.pop(member.plan_id, None)
                found.append(
                    _Council(
                        code=member.authority,
                        plan_id=member.plan_id,
                        name=short_name(member.authority, group.names),
                        facts=member_facts(member),
                        fit=_fit(item) if item else IN_THE_GROUP,
                        dates=dates,
                        in_group=True,
                        contact=item.contact if item else None,
                        source=item.source if item else None,
                    )
                )
    return found + [_alone(item) for item in pairs.values()]


def _alone(item: OpportunityView) -> _Council:
    assert item.own is not None
    assert item.other is not None
    dates = None
    if item.together_from is not None and item.decide_by is not None:
        dates = CoalitionDates(item.together_from, item.decide_by)
    return _Council(
        code=item.partner_code,
        plan_id=item.partner_plan,
        name=short_name(item.partner_code, {item.partner_code: item.partner}),
        facts=item.other,
        fit=_fit(item),
        dates=dates,
        in_group=False,
        why=item.why,
        contact=item.contact,
        source=item.source,
        near_miss=item.near_miss,
    )


def _fit(item: OpportunityView) -> str:
    return f"{item.strength}; {item.note}" if item.note else item.strength


def _lead(plan_id: str, own: PlanFacts, councils: Sequence[_Council], group: SuggestedGroup | None) -> str | None:
    """The plan suggested to lead; None if several pairs have no common lead."""
    if group is not None:
        return group.state.lead
    if len(councils) > 1:
        return None
    both = {plan_id: own, councils[0].plan_id: councils[0].facts}
    return suggest_lead({one: (facts.preference, facts.value) for one, facts in both.items()})


def _leads(council: _Council, lead: str | None) -> str:
    return " (suggested to lead)" if council.plan_id == lead else ""


def _opening(plan_id: str, councils: Sequence[_Council], lead: str | None, names: Sequence[str]) -> str:
    """Says who plans the same, and who is suggested to take the first step."""
    who = names[0] if len(names) == 1 else f"{count_words(len(names)).capitalize()} councils"
    said = f"{who} {'plans' if len(names) == 1 else 'plan'} to buy this{_when(councils)}"
    grouped = [one for one in councils if one.in_group]
    if grouped and len(grouped) < len(councils):
        alone = [one.name for one in councils if not one.in_group]
        said += f" {join_words(['You', *(one.name for one in grouped)], 8)} all fit together; "
        said += f"{join_words(alone, 7)} {'fits' if len(alone) == 1 else 'fit'} you alone."
    elif not grouped and len(councils) > 1:
        said += " Each fits you; they do not all fit each other."
    step = "bring the group together" if grouped else "write first"
    leader = next((one.name for one in councils if one.plan_id == lead), None)
    if lead == plan_id:
        said += f" You are suggested to {step}."
    elif leader is not None:
        said += f" {leader} is suggested to {step}."
    return said


def _when(councils: Sequence[_Council]) -> str:
    """Says which of them go to tender when the reader does."""
    apart = list(dict.fromkeys(one.name for one in councils if one.near_miss))
    if not apart:
        return " when you do."
    if all(one.near_miss for one in councils):
        return ", but not when you do."
    return f" when you do, but the dates of {join_words(apart, 7)} do not meet yours."


def _reply_by(today: date, days: Sequence[CoalitionDates], authorities: Collection[str]) -> date | None:
    """The reply-by for the earliest decision that is still possible; None if it is too late."""
    for dates in sorted(days, key=lambda one: one.decide_by):
        try:
            return reply_by(today, dates, nations_of(authorities))
        except DeadlineError:
            continue
    return None


def _dates(councils: Sequence[_Council], due: date | None) -> tuple[tuple[str, str], ...]:
    known = [one for one in councils if one.dates is not None]
    if not known:
        return ()
    found = [("Reply by", format_date(due))] if due is not None else []
    if due is not None:
        found.append(("Decide together by", _by_council(known, lambda dates: dates.decide_by)))
    return (*found, ("Tender together from", _by_council(known, lambda dates: dates.together_from)))


def _by_council(councils: Sequence[_Council], day: Callable[[CoalitionDates], date]) -> str:
    """One day for all, or each day with its councils."""
    days: dict[date, list[str]] = {}
    for one in councils:
        assert one.dates is not None
        names = days.setdefault(day(one.dates), [])
        names += [name for name in ["the group" if one.in_group else one.name] if name not in names]
    if len(days) == 1:
        return format_date(next(iter(days)))
    return "; ".join(f"{format_date(when)} with {join_words(names)}" for when, names in sorted(days.items()))


def _notes(councils: Sequence[_Council], own: PlanFacts, together: date | None, too_late: bool) -> tuple[str, ...]:
    found = [TOO_LATE] if too_late else []
    if together is not None and own.tender_window.earliest < together and not too_late:
        alone = format_date(own.tender_window.earliest)
        found.append(f"You could go alone from {alone}. Would you wait until {format_date(together)}?")
    return (*found, *(f"{one.name}: {one.source}" for one in councils if one.source))


def _frameworks(plan_id: str, councils: Sequence[_Council], frameworks: Mapping[str, Usable]) -> tuple[str, ...]:
    others: dict[str, dict[str, str]] = {}
    for one in councils:
        others.setdefault(one.name, {}).update(frameworks.get(one.plan_id, {}))
    return framework_prompts(frameworks.get(plan_id, {}), others)


def _why(councils: Sequence[_Council], group: SuggestedGroup | None) -> tuple[str, ...]:
    """One line for the group, and one for each common reason of partners that fit the reader alone."""
    said = [sanitise(group.state.explanation, 300)] if group is not None else []
    alone: dict[str, list[str]] = {}
    for one in councils:
        if one.why and not one.in_group:
            alone.setdefault(one.why, []).append(one.name)
    named = len(councils) > 1
    return (*said, *(f"{join_words(names, 8)}: {why}" if named else why for why, names in alone.items()))


def _preheader(
    names: Sequence[str], own: PlanFacts, councils: Sequence[_Council], together: date | None, due: date | None
) -> str:
    parts = [
        f"Reply by {short_day(due)}." if due else "",
        f"{join_words(names, limit=8)}.",
        worth([own.value, *(one.facts.value for one in councils)]),
        f"Together from {together:%B %Y}." if together else "",
    ]
    return " ".join(part for part in parts if part)
