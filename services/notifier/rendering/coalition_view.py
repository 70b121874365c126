"""What an email about a coalition says: one block for one need, a table of councils, three dates, what to do. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from events.coalitions import CoalitionMember, CoalitionState
from events.fields import Window
from matching.reference import authority as known_authority
from matching.text.formatting import day_text, pounds
from services.domain.coalition_notices import NoticeKind
from services.notifier.partner_names import UNNAMED
from services.notifier.rendering.phrases import join_words
from services.notifier.rendering.plain_text import sanitise, truncate, visible

SUBJECT_LENGTH: Final = 59
STAGES: Final = {"planned": "Planned", "engagement": "Talking to suppliers now", "tendering": "Out to tender"}
PREFERENCES: Final = {"lead": ", would lead", "join": ", would rather join"}
STATES: Final = {
    "suggested": "Not asked yet",
    "invited": "Asked, no answer yet",
    "accepted": "In",
    "declined": "Not this time",
    "lapsed": "No answer",
    "withdrawn": "Plan withdrawn",
    "left": "Left",
}


@dataclass(frozen=True, slots=True)
class CouncilRow:
    """One council in the table; every text is plain and on one line."""

    council: str
    plan: str
    value: str
    tender: str
    stage: str
    now: str
    reply: str


@dataclass(frozen=True, slots=True)
class CoalitionLetter:
    """A whole email about a coalition. `dates`: label and day. `actions`: what the reader can do."""

    authority: str
    name: str
    subject: str
    preheader: str
    opening: str
    own_plan: str
    rows: tuple[CouncilRow, ...]
    dates: tuple[tuple[str, str], ...]
    scope: str
    route: str
    actions: tuple[str, ...]
    explanation: str
    contact: str | None
    signed_on: str | None
    coalition_id: str


def coalition_letter(
    state: CoalitionState,
    plan_id: str,
    kind: NoticeKind,
    name: str,
    names: Mapping[str, str],
    mailboxes: Mapping[str, str],
    signed_on: date | None,
) -> CoalitionLetter:
    """The email of one kind to the authority of one plan. `names` and `mailboxes`: of the members, by code."""
    own = next(member for member in state.members if member.plan_id == plan_id)
    lead = next((member for member in state.members if member.plan_id == state.lead), None)
    shown = [member for member in state.members if member.state in ("suggested", "invited", "accepted")]
    others = [member for member in shown if member is not own]
    leader = _short(lead.authority, names) if lead is not None else "Nobody"
    invitation = state.invitation
    return CoalitionLetter(
        authority=own.authority,
        name=sanitise(name, 80),
        subject=_subject(state, own, kind, leader),
        preheader=_preheader(state, shown, names),
        opening=_opening(state, kind, leader, [_short(member.authority, names) for member in others]),
        own_plan=_own_plan(own),
        rows=tuple(_row(member, state, names) for member in sorted(others, key=lambda one: one.authority_name)),
        dates=_dates(state, kind),
        scope=sanitise(invitation.scope, 500) if invitation else "",
        route=sanitise(invitation.route, 500) if invitation else "",
        actions=_actions(state, kind),
        explanation=sanitise(state.explanation, 300),
        contact=mailboxes.get(lead.authority) if lead is not None and lead is not own else None,
        signed_on=day_text(signed_on) if signed_on else None,
        coalition_id=state.coalition_id,
    )


def _subject(state: CoalitionState, own: CoalitionMember, kind: NoticeKind, leader: str) -> str:
    """The reader's own need first; what is asked and the day are never cut."""
    due = f"Reply by {_short_day(state.invitation.reply_by)}" if state.invitation else "Reply soon"
    asked = {
        NoticeKind.INVITATION: f"join {truncate(leader, 18)}? {due}",
        NoticeKind.REMINDER: f"no answer yet. {due}",
        NoticeKind.FORMED: "your coalition has formed",
        NoticeKind.FROZEN: "the joint tender is out",
        NoticeKind.ENDED: "the joint contract is awarded" if state.status == "awarded" else "the coalition has ended",
    }[kind]
    need = sanitise(own.title, 120) or _reference(own.plan_id)
    return f"{truncate(need, SUBJECT_LENGTH - len(asked) - 2)}: {asked}"


def _preheader(state: CoalitionState, shown: Sequence[CoalitionMember], names: Mapping[str, str]) -> str:
    known = [member.value for member in shown if member.value is not None]
    worth = f" {'About' if len(known) == len(shown) else 'At least'} {pounds(sum(known))} together." if known else ""
    councils = join_words([_short(member.authority, names) for member in shown], limit=8)
    return f"{councils}.{worth} Together from {state.together_from:%B %Y}."


def _opening(state: CoalitionState, kind: NoticeKind, leader: str, others: Sequence[str]) -> str:
    partners = join_words(others, limit=7)
    match kind:
        case NoticeKind.INVITATION:
            return f"{leader} asks you to go to market together. You may say no, and need give no reason."
        case NoticeKind.REMINDER:
            return f"{leader} asked you to go to market together, and has no answer from you yet."
        case NoticeKind.FORMED:
            return f"You go to market together with {partners}. {leader} leads."
        case NoticeKind.FROZEN:
            return f"{leader} has published the joint tender notice. It names every member: nobody can join any more."
        case NoticeKind.ENDED:
            return f"The coalition has ended. {sanitise(state.ended_because or '', 200)}".strip()


def _dates(state: CoalitionState, kind: NoticeKind) -> tuple[tuple[str, str], ...]:
    if kind is NoticeKind.ENDED:
        return ()
    together = ("Tender together from", day_text(state.together_from))
    decide = ("Decide together by", day_text(state.decide_by))
    if kind in (NoticeKind.INVITATION, NoticeKind.REMINDER) and state.invitation is not None:
        return (("Reply by", day_text(state.invitation.reply_by)), decide, together)
    return (decide, together) if kind is NoticeKind.FORMED else (together,)


def _actions(state: CoalitionState, kind: NoticeKind) -> tuple[str, ...]:
    match kind:
        case NoticeKind.INVITATION | NoticeKind.REMINDER:
            return (
                "To say yes or no: reply with \u201caccept\u201d or \u201cdecline\u201d. A person enters your answer.",
                "Yes is a yes in principle; you are committed only once you say that your decision was taken.",
                "No answer counts as no answer, never as a yes.",
            )
        case NoticeKind.FORMED:
            return (
                "Once your authority has decided: reply \u201ccommit\u201d.",
                "To leave: reply \u201cleave\u201d. You can until the tender notice is out, and it needs no reason.",
            )
        case NoticeKind.FROZEN:
            return ("Close your own plan for this need once the contract is awarded.",)
        case NoticeKind.ENDED:
            return () if state.status == "awarded" else ("Your plan stands as before; you may go it alone.",)


def _row(member: CoalitionMember, state: CoalitionState, names: Mapping[str, str]) -> CouncilRow:
    leads = " (leads)" if member.plan_id == state.lead else ""
    return CouncilRow(
        council=f"{_short(member.authority, names)}{leads}",
        plan=sanitise(member.title, 60) or "Not shared",
        value=pounds(member.value) if member.value is not None else "Not stated",
        tender=_months(member.tender_window),
        stage=STAGES.get(member.stage, "Planned") + PREFERENCES.get(member.preference or "", ""),
        now=_now(member),
        reply=STATES[member.state] + (", committed" if member.committed else ""),
    )


def _now(member: CoalitionMember) -> str:
    """The contract that runs now, as far as it is shared."""
    ends = f"ends {day_text(member.contract_ends)}" if member.contract_ends else ""
    return ", ".join(part for part in (sanitise(member.supplier, 60), ends) if part) or "Not stated"


def _own_plan(own: CoalitionMember) -> str:
    value = f", {pounds(own.value)}" if own.value is not None else ""
    title = sanitise(own.title, 120)
    reference = _reference(own.plan_id)
    return f"{title} ({reference}){value}, tender {_months(own.tender_window)}" if title else reference


def _short(code: str, names: Mapping[str, str]) -> str:
    known = known_authority(code)
    return sanitise(known.short_name if known else names.get(code, UNNAMED), 60)


def _reference(plan_id: str) -> str:
    return visible(plan_id.partition(":")[2] or plan_id)


def _months(window: Window) -> str:
    first, last = window.earliest, window.latest
    if (first.year, first.month) == (last.year, last.month):
        return f"{first:%b %Y}"
    return f"{first:%b}-{last:%b %Y}" if first.year == last.year else f"{first:%b %Y}-{last:%b %Y}"


def _short_day(value: date) -> str:
    return f"{value.day} {value:%B}"
