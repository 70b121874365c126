"""The content of a receipt: the act recorded in the reader's name, and how to take it back by when. Pure."""

from datetime import date
from typing import Any, Final, Protocol

from matching.text.formatting import format_date
from services.notifier.rendering.coalition_view import CoalitionLetter
from services.notifier.rendering.councils import reference
from services.notifier.rendering.headline import Headline
from services.notifier.rendering.plain_text import sanitise

NOTED: Final = {
    "interested": "you are interested",
    "other-dates": "you are interested, on other dates",
    "not-the-same": "it is not the same thing",
    "not-this-time": "not this time",
    "later": "you want to be asked later",
    "invited": "you invited the others",
    "accept": "you are in",
    "decline": "you declined",
    "join": "you joined",
    "leave": "you left",
    "commit": "your decision is taken",
    "lead": "you lead",
    "dates": "the others have more time",
    "introduced": "your answer to an introduction",
    "undone": "you took an answer back",
    "convened": "you convened the group",
    "delegated": "your delegation",
    "route": "you recorded a route",
    "document": "you shared a document",
    "enquiry": "your answer to a question about prices",
}
_CLOSED: Final = "This can't be taken back any more."
_FINAL: Final = "This can't be taken back; you can still leave."
FINAL: Final = {
    "invited": _FINAL,
    "dates": _FINAL,
    "undone": _FINAL,
    "convened": "This can't be taken back. Each council still says yes or no for itself.",
    "enquiry": "To change it, answer again while the request is open.",
    "delegated": "To change or end it, reply and say so; an end counts at once.",
}
"""What to do about acts that can't be taken back."""
SCOPES: Final = {
    "answer": "answer suggestions and record routes",
    "take-part": "answer, invite, accept, join and leave",
    "commit": "answer, take part, and say that your decision was taken",
}


class ActView(Protocol):
    """One response that counted."""

    @property
    def response_id(self) -> str: ...
    @property
    def plan_id(self) -> str | None: ...
    @property
    def payload(self) -> Any: ...
    @property
    def kind(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def subject_id(self) -> str: ...
    @property
    def received_on(self) -> date: ...


def receipt_letter(
    authority: str,
    name: str,
    act: ActView,
    title: str,
    undo_by: date,
    *,
    party: str,
    named: bool,
    on_page: bool,
    can_undo: bool,
) -> CoalitionLetter:
    """The receipt of one act. `named`: whether the reader's own plan may be named. `party`: the name of the party that
    acted for the authority, or that a delegation is to; empty where there is none. `on_page`: whether the email gets a
    link to the page that takes the act back. `can_undo`: whether its coalition lets it be taken back."""
    noted = NOTED.get(act.kind, act.kind)
    asked = f"noted, {noted}"
    plan = reference(act.plan_id) if act.plan_id is not None and named else ""
    need = (sanitise(title, 120) or plan) if plan else "Your answer"
    own = f"{sanitise(title, 120)} ({plan})" if title else plan
    way = "use the link" if on_page else f"reply \u201cundo {act.response_id}\u201d"
    undo = f"To take this back: {way} by {format_date(undo_by)}{_until_notice(act)}."
    return CoalitionLetter(
        authority=authority,
        name=sanitise(name, 80),
        headline=Headline(need, f": {asked}"),
        preheader=f"Noted on {format_date(act.received_on)}.",
        opening=_opening(act, noted, sanitise(party, 80)),
        own_plan=own if plan else "",
        rows=(),
        dates=(),
        scope="",
        route="",
        actions=(
            FINAL.get(act.kind, undo if can_undo else _CLOSED),
            "If nobody at your council did this, reply and tell us at once.",
        ),
        explanation="",
        contact=None,
        signed_on=None,
        coalition_id=act.subject_id,
        reference=f"{act.subject.capitalize()}: {act.subject_id}",
        is_receipt=True,
    )


def _until_notice(act: ActView) -> str:
    """The end of the time to take back an act in a coalition; a document can be taken back whenever."""
    bound = act.subject == "coalition" and act.kind not in ("route", "document")
    return ", or before the tender notice is out if that is earlier" if bound else ""


def _opening(act: ActView, noted: str, party: str) -> str:
    on = format_date(act.received_on)
    if act.kind == "delegated":
        scope, until = act.payload["scope"], date.fromisoformat(act.payload["until"])
        if scope is None:
            return f"On {on} we recorded: {party} may no longer act for your council."
        return f"On {on} we recorded: {party} may act for your council until {format_date(until)}: {SCOPES[scope]}."
    if party:
        return f"On {on} we recorded what {party} said for your council, by your delegation: {noted}."
    return f"On {on} we recorded this for your council: {noted}."
