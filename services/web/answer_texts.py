"""The answers and reasons as people read them. The values are those of the response events."""

from collections.abc import Mapping
from typing import Final

from events.coalitions import CoalitionStatus
from services.domain.coalition_words import STATUS_WORDS

ANSWERS: Final[Mapping[str, str]] = {
    "interested": "Interested",
    "other-dates": "Interested, with other dates",
    "not-the-same": "Not the same thing",
    "not-this-time": "Not this time",
    "later": "Ask me later",
}
HINTS: Final[Mapping[str, str]] = {
    "interested": "The others see that you are interested. It binds nobody.",
    "other-dates": "You say between which days you could go to tender.",
    "not-the-same": "We stop suggesting this. The others never see why.",
    "not-this-time": "You leave this group. No reason is needed.",
    "later": "Nobody is told. We ask you again on the day you choose.",
}
PAIR_HINTS: Final[Mapping[str, str]] = {
    **HINTS,
    "not-this-time": "We tell you of it again only if it changes. No reason is needed.",
}
NO_REASON: Final = "rather-not-say"
NOT_THE_SAME: Final[Mapping[str, str]] = {
    "different-product": "It is a different product or service",
    "only-part-overlaps": "Only a part overlaps",
    "wrong-place": "The place is wrong",
    "same-body": "It is the same body twice",
    "call-off": "It is a call-off from a contract that exists",
    "description-wrong": "Our own description is wrong",
    NO_REASON: "I would rather not say",
}
NOT_THIS_TIME: Final[Mapping[str, str]] = {
    "awarded": "We have awarded our contract",
    "extending": "We are extending our contract",
    "framework": "We use a framework",
    "local-decision": "It is a local decision",
    "capacity": "We have no capacity",
    "reorganisation": "Our council is being reorganised",
    NO_REASON: "I would rather not say",
}
REASONS: Final = {"not-the-same": NOT_THE_SAME, "not-this-time": NOT_THIS_TIME}
DONE: Final[Mapping[str, str]] = {
    **ANSWERS,
    "accept": "Accepted",
    "decline": "Declined",
    "join": "Joined",
    "leave": "Left",
    "commit": "Committed",
    "lead": "Took the lead",
    "invited": "Invited the others",
    "dates": "Gave more time to reply",
    "introduced": "Answered about an introduction",
    "undone": "Took an answer back",
    "route": "Recorded a route",
    "document": "Shared a document",
}
DOCUMENTS: Final[Mapping[str, str]] = {
    "specification": "Specification",
    "prices": "Prices",
    "agreement": "Draft of an agreement between us",
    "other": "Something else",
}
DOCUMENT_READERS: Final[Mapping[str, str]] = {
    "members": "Councils that are in",
    "invited": "Councils that are in, and those that are invited",
    "signatories": "Councils that are in, those that are invited, and every council that has signed the Charter",
}
INTRODUCTIONS: Final[Mapping[str, str]] = {
    "yes": "Yes, introduce us",
    "no": "No",
    "later": "Ask me later",
}
INTRODUCTION_HINTS: Final[Mapping[str, str]] = {
    "yes": "Once both councils have said yes, each sees the other's plan.",
    "no": "Final for six months. Nobody is told.",
    "later": "Nobody is told. We ask you again.",
}
STAGES: Final[Mapping[str, str]] = {
    "planned": "Planned",
    "engagement": "Talking to suppliers now",
    "tendering": "Out to tender",
}
_COLOURS: Final[Mapping[CoalitionStatus, str]] = {
    CoalitionStatus.SUGGESTED: "blue",
    CoalitionStatus.INVITING: "yellow",
    CoalitionStatus.FORMED: "green",
    CoalitionStatus.FROZEN: "purple",
    CoalitionStatus.AWARDED: "green",
    CoalitionStatus.DISSOLVED: "grey",
    CoalitionStatus.LAPSED: "grey",
}
STATUSES: Final[Mapping[str, tuple[str, str]]] = {
    "active": ("Match", "blue"),
    "withdrawn": ("No longer a match", "grey"),
    **{status: (STATUS_WORDS[status].capitalize(), colour) for status, colour in _COLOURS.items()},
}
"""A group's status: its word, and the colour of its tag."""
