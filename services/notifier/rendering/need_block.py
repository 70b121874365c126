"""One need of the reader in an email: its own plan, a table of councils, the dates, and the reasons. Pure."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from matching.calendar import nations_of
from matching.text.formatting import format_date, join_words
from services.domain.coalition import suggest_lead
from services.domain.deadlines import CoalitionDates, DeadlineError, reply_by
from services.domain.disclosure import PlanFacts
from services.domain.framework_prompt import Usable, framework_prompts
from services.notifier.rendering.councils import CouncilRow, council_row, own_plan_line, reference, short_day, worth
from services.notifier.rendering.need_council import NeedCouncil, SuggestedGroup, labels, need_councils
from services.notifier.rendering.need_opening import condition, opening
from services.notifier.rendering.opportunity_view import OpportunityView
from services.notifier.rendering.plain_text import sanitise

TOO_LATE: Final = "It is too late to invite anybody to this; you can still share what you learned."
ANSWER: Final = (
    "Interested, not for us, or ask me later: reply with one of these and the reference {reference}. "
    "A person enters your answer; it binds nobody."
)


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


def build(
    authority: str,
    items: Sequence[OpportunityView],
    group: SuggestedGroup | None,
    today: date,
    frameworks: Mapping[str, Usable],
    own_notes: Sequence[str],
) -> Block:
    """Build the block of one plan of `authority`, from openly shared pairs and the suggested group, if there is one.

    `frameworks`: the usable frameworks of each plan. `own_notes`: further notes on the own plan.
    """
    first = items[0]
    own = first.own
    assert own is not None
    councils = need_councils(authority, items, group)
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
        opening=opening(first.plan_id, councils, lead, names),
        rows=tuple(council_row(one.name + _leads(one, lead), one.facts, one.fit) for one in councils),
        councils=names,
        codes=frozenset(one.code for one in councils),
        dates=_dates(councils, due),
        reply_by=due,
        notes=(
            *_caveats(councils),
            *_frameworks(first.plan_id, councils, frameworks),
            *_notes(councils, own, together, bool(days) and due is None),
            *own_notes,
        ),
        why=_why(councils, group),
        answer=ANSWER.format(reference=reference(first.plan_id)),
        contacts=tuple(dict.fromkeys((one.name, one.contact) for one in councils if one.contact)),
        contact_subject=f"{sanitise(own.title, 80) or 'Your plan'} ({reference(first.plan_id)})",
    )


def heading(item: OpportunityView) -> str:
    """The heading over one of the reader's own plans."""
    own = reference(item.plan_id)
    return f"Your plan: {own_plan_line(item.own, item.plan_id)}" if item.own and item.own.title else f"Your plan {own}"


def _lead(plan_id: str, own: PlanFacts, councils: Sequence[NeedCouncil], group: SuggestedGroup | None) -> str | None:
    """The plan suggested to lead; None if several pairs have no common lead."""
    if group is not None:
        return group.state.lead
    if len(councils) > 1:
        return None
    both = {plan_id: own, councils[0].plan_id: councils[0].facts}
    return suggest_lead({one: (facts.preference, facts.value) for one, facts in both.items()})


def _leads(council: NeedCouncil, lead: str | None) -> str:
    return " (suggested lead)" if council.plan_id == lead else ""


def _reply_by(today: date, days: Sequence[CoalitionDates], authorities: Collection[str]) -> date | None:
    """The reply-by for the earliest decision that is still possible; None if it is too late."""
    for dates in sorted(days, key=lambda one: one.decide_by):
        try:
            return reply_by(today, dates, nations_of(authorities))
        except DeadlineError:
            continue
    return None


def _dates(councils: Sequence[NeedCouncil], due: date | None) -> tuple[tuple[str, str], ...]:
    known = [one for one in councils if one.dates is not None]
    if not known:
        return ()
    found = [("Reply by", format_date(due))] if due is not None else []
    if due is not None:
        found.append(("Decide together by", _by_council(known, councils, lambda dates: dates.decide_by)))
    together = _by_council(known, councils, lambda dates: dates.together_from, condition)
    return (*found, ("Tender together from", together))


def _by_council(
    dated: Sequence[NeedCouncil],
    councils: Sequence[NeedCouncil],
    day: Callable[[CoalitionDates], date],
    only_if: Callable[[Sequence[NeedCouncil]], str] = lambda _: "",
) -> str:
    """One day for all, or each day with its councils, and the condition on which it holds."""
    days: dict[date, list[NeedCouncil]] = {}
    for one in dated:
        assert one.dates is not None
        days.setdefault(day(one.dates), []).append(one)
    label = labels(councils)
    said = []
    for when, some in sorted(days.items()):
        names = dict.fromkeys("the group" if one.in_group else label[one.plan_id] for one in some)
        among = f" with {join_words(list(names), 3)}" if len(days) > 1 else ""
        said.append(f"{format_date(when)}{among}" + (f", {only}" if (only := only_if(some)) else ""))
    return "; ".join(said)


def _notes(councils: Sequence[NeedCouncil], own: PlanFacts, together: date | None, too_late: bool) -> tuple[str, ...]:
    found = [TOO_LATE] if too_late else []
    if together is not None and own.tender_window.earliest < together and not too_late:
        alone = format_date(own.tender_window.earliest)
        found.append(f"You could go alone from {alone}. Would you wait until {format_date(together)}?")
    return (*found, *(f"{one.name}: {one.source}" for one in councils if one.source))


def _frameworks(plan_id: str, councils: Sequence[NeedCouncil], frameworks: Mapping[str, Usable]) -> tuple[str, ...]:
    others: dict[str, dict[str, str]] = {}
    for one in councils:
        others.setdefault(one.name, {}).update(frameworks.get(one.plan_id, {}))
    return framework_prompts(frameworks.get(plan_id, {}), others)


def _why(councils: Sequence[NeedCouncil], group: SuggestedGroup | None) -> tuple[str, ...]:
    """One line for the group, and one for each common reason of partners that fit the reader alone."""
    said = [sanitise(group.state.explanation, 300)] if group is not None else []
    alone = _by_text(councils, lambda one: "" if one.in_group else one.why)
    named = len(councils) > 1
    return (*said, *(f"{join_words(names, 8)}: {why}" if named else why for why, names in alone.items()))


def _caveats(councils: Sequence[NeedCouncil]) -> tuple[str, ...]:
    """One line for each caveat, with the councils whose plans have it."""
    found = _by_text(councils, lambda one: one.caveats)
    named = len(councils) > 1
    return tuple(f"Check{f' with {join_words(names, 8)}' if named else ''}: {text}" for text, names in found.items())


def _by_text(councils: Sequence[NeedCouncil], text: Callable[[NeedCouncil], str]) -> dict[str, list[str]]:
    """Each text once, with the names of the councils that it is about."""
    label, found = labels(councils), dict[str, list[str]]()
    for one in councils:
        if said := text(one):
            found.setdefault(said, []).append(label[one.plan_id])
    return found


def _preheader(
    names: Sequence[str], own: PlanFacts, councils: Sequence[NeedCouncil], together: date | None, due: date | None
) -> str:
    parts = [
        f"Reply by {short_day(due)}." if due else "",
        f"{join_words(names, limit=8)}.",
        worth([own.value, *(one.facts.value for one in councils)]),
        f"Together from {together:%B %Y}." if together else "",
    ]
    return " ".join(part for part in parts if part)
