"""The content of an email about a coalition: one need, a table of councils, three dates, and actions. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from events.coalitions import CoalitionMember, CoalitionState, CoalitionStatus, MemberState
from matching.text.formatting import format_date, join_words
from services.domain.coalition import CURRENT
from services.domain.coalition_notices import NoticeKind
from services.domain.disclosure import member_facts
from services.domain.route import CoalitionRoutes
from services.domain.route_prompt import route_prompts
from services.notifier.rendering.councils import (
    CouncilRow,
    council_row,
    own_plan_line,
    reference,
    short_day,
    short_name,
    worth,
)
from services.notifier.rendering.headline import Headline
from services.notifier.rendering.plain_text import sanitise, truncate

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
class CoalitionLetter:
    """A whole email about a coalition. `dates`: label and day. `actions`: what the reader can do.
    `routes`: the routes that members looked at, and those still to consider.

    `answer_link` and `stop_link` lead to pages, if the installation has any.
    `is_receipt`: no switch stops it, so its end offers none.
    """

    authority: str
    name: str
    headline: Headline
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
    reference: str
    routes: tuple[str, ...] = ()
    answer_link: str | None = None
    stop_link: str | None = None
    is_receipt: bool = False


def coalition_letter(
    state: CoalitionState,
    plan_id: str,
    kind: NoticeKind,
    name: str,
    names: Mapping[str, str],
    mailboxes: Mapping[str, str],
    signed_on: date | None,
    routes: CoalitionRoutes,
) -> CoalitionLetter:
    """Build the email of one kind to the authority of one plan. `names` and `mailboxes`: of the members, by code."""
    own = next(member for member in state.members if member.plan_id == plan_id)
    lead = next((member for member in state.members if member.plan_id == state.lead), None)
    shown = [member for member in state.members if member.state in CURRENT]
    others = [member for member in shown if member is not own]
    leader = short_name(lead.authority, names) if lead is not None else "Nobody"
    invitation = state.invitation
    convened = invitation is not None and invitation.convened_by is not None
    asker = short_name(invitation.convened_by or "", names) if invitation and convened else leader
    return CoalitionLetter(
        authority=own.authority,
        name=sanitise(name, 80),
        headline=_headline(state, own, kind, asker),
        preheader=_preheader(state, shown, names),
        opening=_opening(state, kind, own, (leader, asker), names),
        own_plan=own_plan_line(member_facts(own), own.plan_id),
        rows=tuple(_row(member, state, names) for member in sorted(others, key=lambda one: one.authority_name)),
        dates=_dates(state, kind),
        scope=sanitise(invitation.scope, 500) if invitation else "",
        route=sanitise(invitation.route, 500) if invitation else "",
        routes=_routes(routes, kind, names, bool(invitation and invitation.route)),
        actions=_actions(state, kind, own),
        explanation=sanitise(state.explanation, 300),
        contact=mailboxes.get(lead.authority) if lead is not None and lead is not own else None,
        signed_on=format_date(signed_on) if signed_on else None,
        coalition_id=state.coalition_id,
        reference=f"Coalition: {state.coalition_id}",
    )


def _headline(state: CoalitionState, own: CoalitionMember, kind: NoticeKind, asker: str) -> Headline:
    """The reader's own need comes first; the request and its day are never cut."""
    due = f"Reply by {short_day(state.invitation.reply_by)}" if state.invitation else "Reply soon"
    asked = {
        NoticeKind.INVITATION: f"join {truncate(asker, 18)}? {due}",
        NoticeKind.REMINDER: f"no answer yet. {due}",
        NoticeKind.FORMED: "your group has formed",
        NoticeKind.FROZEN: "the joint tender is out",
        NoticeKind.ENDED: "the joint contract is awarded"
        if state.status == CoalitionStatus.AWARDED
        else "the group has ended",
    }[kind]
    need = sanitise(own.title, 120) or reference(own.plan_id)
    return Headline(need, f": {asked}")


def _preheader(state: CoalitionState, shown: Sequence[CoalitionMember], names: Mapping[str, str]) -> str:
    together = worth([member.value for member in shown])
    councils = join_words([short_name(member.authority, names) for member in shown], limit=8)
    return f"{councils}.{' ' + together if together else ''} Together from {state.together_from:%B %Y}."


def _opening(
    state: CoalitionState, kind: NoticeKind, own: CoalitionMember, who: tuple[str, str], names: Mapping[str, str]
) -> str:
    """`who`: who leads, and who asked."""
    leader, asker = who
    match kind:
        case NoticeKind.INVITATION:
            return f"{asker} asks you to go to market together. You may say no, and need give no reason."
        case NoticeKind.REMINDER:
            return f"{asker} asked you to go to market together, and has no answer from you yet."
        case NoticeKind.FORMED:
            return _formed(state, own, leader, names)
        case NoticeKind.FROZEN:
            return f"{leader} has published the joint tender notice. It names every member: nobody can join any more."
        case NoticeKind.ENDED:
            return f"The group has ended. {sanitise(state.ended_because or '', 200)}".strip()


def _formed(state: CoalitionState, own: CoalitionMember, leader: str, names: Mapping[str, str]) -> str:
    """Names the members that have said yes in principle, and those that are committed."""
    members = [member for member in state.members if member.state == MemberState.ACCEPTED]
    in_principle = _councils(members, own, names)
    committed = [member for member in members if member.committed]
    leads = "You lead." if own.plan_id == state.lead else f"{leader} leads."
    if len(committed) == len(members):
        return f"{in_principle} are committed to going to market together. {leads}"
    decided = f"Committed so far: {_councils(committed, own, names)}." if committed else "Nobody is committed yet."
    return f"{in_principle} have said yes in principle to going to market together. {leads} {decided}"


def _councils(members: Sequence[CoalitionMember], own: CoalitionMember, names: Mapping[str, str]) -> str:
    """Their names, the reader last: "Leeds, York and you"."""
    others = [short_name(member.authority, names) for member in members if member is not own]
    return join_words([*others, *(["you"] if own in members else [])], limit=8)


def _dates(state: CoalitionState, kind: NoticeKind) -> tuple[tuple[str, str], ...]:
    if kind is NoticeKind.ENDED:
        return ()
    together = ("Tender together from", format_date(state.together_from))
    decide = ("Decide together by", format_date(state.decide_by))
    if kind in (NoticeKind.INVITATION, NoticeKind.REMINDER) and state.invitation is not None:
        return (("Reply by", format_date(state.invitation.reply_by)), decide, together)
    return (decide, together) if kind is NoticeKind.FORMED else (together,)


def _routes(
    routes: CoalitionRoutes, kind: NoticeKind, names: Mapping[str, str], inviter_checked: bool
) -> tuple[str, ...]:
    if kind not in (NoticeKind.INVITATION, NoticeKind.REMINDER, NoticeKind.FORMED):
        return ()
    return route_prompts(routes, {code: short_name(code, names) for code in names}, inviter_checked=inviter_checked)


def _actions(state: CoalitionState, kind: NoticeKind, own: CoalitionMember) -> tuple[str, ...]:
    match kind:
        case NoticeKind.INVITATION | NoticeKind.REMINDER:
            return (
                "To say yes or no: reply with \u201caccept\u201d or \u201cdecline\u201d. A person enters your answer.",
                "Yes is a yes in principle; you are committed only once you say that your decision was taken.",
                "If you do not reply, we never take that as a yes.",
            )
        case NoticeKind.FORMED:
            return (
                "Once your council has decided: reply \u201ccommit\u201d.",
                "To leave: reply \u201cleave\u201d. You can leave at any time, and need give no reason.",
                (
                    "If you leave after the tender notice, amend it first: it names your council."
                    if own.plan_id == state.lead
                    else "After the tender notice, ask the lead to amend it: it names your council."
                ),
            )
        case NoticeKind.FROZEN:
            return ("Close your own plan for this need once the contract is awarded.",)
        case NoticeKind.ENDED:
            return (
                () if state.status == CoalitionStatus.AWARDED else ("Your plan stands as before; you may go it alone.",)
            )


def _row(member: CoalitionMember, state: CoalitionState, names: Mapping[str, str]) -> CouncilRow:
    leads = " (leads)" if member.plan_id == state.lead else ""
    reply = STATES[member.state] + (", committed" if member.committed else "")
    return council_row(f"{short_name(member.authority, names)}{leads}", member_facts(member), reply)
