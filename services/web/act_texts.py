"""Texts of the acts of a signed-in council in a coalition: link, question, consequences and button."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ActText:
    """The link's text, the question, the consequences, and the button's text."""

    link: str
    heading: str
    meaning: str
    button: str
    warning: bool = False


ACTS: Final[Mapping[str, ActText]] = {
    "accept": ActText(
        "Accept the invitation",
        "Accept the invitation?",
        "It is a yes in principle. You are committed only once you say that your decision was taken.",
        "Accept",
    ),
    "join": ActText(
        "Join this group",
        "Join this group?",
        "The others learn that you are in. You are committed only once you say that your decision was taken.",
        "Join",
    ),
    "decline": ActText("Decline", "Decline?", "You leave this group. No reason is needed.", "Decline"),
    "invite": ActText(
        "Invite the others",
        "Invite the others to go to market together",
        "Your council leads the group. The others can say yes or no, and need give no reason.",
        "Send the invitation",
    ),
    "dates": ActText(
        "Give more time to reply",
        "Give the others more time to reply",
        "The day can only move later.",
        "Move the day",
    ),
    "lead": ActText("Offer to lead", "Lead this group?", "The others see that your council leads.", "Take the lead"),
    "commit": ActText(
        "Say that your decision was taken",
        "Commit your council?",
        "Do this only after your council has decided, under whoever's authority it takes.",
        "Commit",
        warning=True,
    ),
    "document": ActText(
        "Share a document",
        "Show the others where a document is",
        "We show its address as text. We never open the document, and never store it.",
        "Share",
    ),
    "leave": ActText(
        "Leave this group",
        "Leave this group?",
        "You can leave at any time. The others learn of it at once. If you lead, the group has no lead any more. "
        "The tender notice names your council. Once it is out, amend it if you lead; otherwise ask the lead to.",
        "Leave",
        warning=True,
    ),
}
