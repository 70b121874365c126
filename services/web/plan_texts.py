"""The choices about a plan as people read them. The values are those of plan events."""

from collections.abc import Mapping
from typing import Any, Final

from matching.reference import region, regions

UNDECIDED: Final = "undecided"
KINDS: Final[Mapping[str, str]] = {
    "new": "Something new",
    "renewal": "It replaces a contract that ends",
    "extension": "An extension of a contract",
    "project": "A project that is done once",
}
OPTION_STATED: Final[Mapping[str, str]] = {
    "yes": "Yes, the contract has this option",
    "no": "No, it has no such option",
    UNDECIDED: "I do not know",
}
PREFERENCES: Final[Mapping[str, str]] = {
    "lead": "We would lead",
    "join": "We would rather join",
    "none": "Neither",
    UNDECIDED: "We have not decided",
}
SHARINGS: Final[Mapping[str, str]] = {
    "open": "Open: matching councils see it",
    "match_only": "Match only: others learn only that there is a match",
    "private": "Private: it is never matched",
}
CHANGES: Final[Mapping[str, str]] = {
    "later": "Tender later",
    "earlier": "Tender earlier",
    "window": "Tender between other days",
    "extension": "Extend the contract that runs now",
}
HINTS: Final[Mapping[str, str]] = {
    "title": "Name the purchase, not your council. For example, HR and payroll system",
    "description": "Who uses it, for how many, and what it has to do. Name no people. You can leave this empty.",
    "dates": "The earliest and the latest day that you can imagine. A wide window finds more partners.",
    "value": "In pounds, with all extensions, without VAT. You can leave this empty.",
    "contract": "Say what you know. It helps to find councils with the same supplier.",
    "regions": "Choose nothing if it is your council's own area.",
    "cpv": "Eight digits each, with commas between them, for example 48450000. You can leave this empty.",
    "preference": "A council that would lead is suggested first.",
    "sharing": "What you share may be asked for under the Freedom of Information Act.",
}


def regions_for(fields: Mapping[str, Any]) -> Mapping[str, str]:
    """The places to choose from: the United Kingdom, its large regions, and those that the plan names already."""
    offered = {found.code: found.name for found in regions() if found.level <= 1}
    named = {code: region(code) for code in fields.get("regions") or ()}
    return offered | {code: found.name if found else code for code, found in named.items()}
