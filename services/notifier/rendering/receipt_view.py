"""What a receipt says: what was noted in the reader's name, and until when and how it can be taken back. Pure."""

from datetime import date
from typing import Final, Protocol

from matching.text.formatting import day_text
from services.notifier.rendering.coalition_view import SUBJECT_LENGTH, CoalitionLetter
from services.notifier.rendering.councils import reference
from services.notifier.rendering.plain_text import sanitise, truncate

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
    "route": "you recorded a route",
    "document": "you shared a document",
}
FINAL: Final = frozenset({"invited", "dates", "undone"})
"""What can't be taken back."""


class Act(Protocol):
    """One response that counted."""

    @property
    def response_id(self) -> str: ...
    @property
    def plan_id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def subject_id(self) -> str: ...
    @property
    def received_on(self) -> date: ...


def receipt_letter(
    authority: str, name: str, act: Act, title: str, undo_by: date, signed_on: date | None, *, named: bool
) -> CoalitionLetter:
    """The receipt of one act. `named`: whether the reader's own plan may be named."""
    noted = NOTED.get(act.kind, act.kind)
    asked = f"noted, {noted}"
    need = (sanitise(title, 120) or reference(act.plan_id)) if named else "Your answer"
    own = f"{sanitise(title, 120)} ({reference(act.plan_id)})" if title else reference(act.plan_id)
    undo = f"To take this back: reply \u201cundo {act.response_id}\u201d by {day_text(undo_by)}."
    return CoalitionLetter(
        authority=authority,
        name=sanitise(name, 80),
        subject=f"{truncate(need, SUBJECT_LENGTH - len(asked) - 2)}: {asked}",
        preheader=f"Noted on {day_text(act.received_on)}.",
        opening=f"We noted on {day_text(act.received_on)} in your authority's name: {noted}.",
        own_plan=own if named else "",
        rows=(),
        dates=(),
        scope="",
        route="",
        actions=(
            "This can't be taken back; you can still leave." if act.kind in FINAL else undo,
            "If nobody of yours did this, reply and say so at once.",
        ),
        explanation="",
        contact=None,
        signed_on=day_text(signed_on) if signed_on else None,
        coalition_id=act.subject_id,
        reference=f"{act.subject.capitalize()}: {act.subject_id}",
    )
