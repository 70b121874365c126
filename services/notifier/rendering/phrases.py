"""How things are said: dates, bands, subjects. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from events.fields import Origin, Window
from matching.reference import region
from matching.text.formatting import day_text
from services.notifier.rendering.plain_text import sanitise, visible

SUBJECT_LENGTH: Final = 60
"""What phones and mail clients show of a subject."""


def format_date_range(window: Window) -> str:
    """A window in words: "between 1 March 2027 and 30 June 2027"."""
    if window.earliest == window.latest:
        return f"on {day_text(window.earliest)}"
    return f"between {day_text(window.earliest)} and {day_text(window.latest)}"


def places(codes: Sequence[str], limit: int = 3) -> str:
    """ITL codes as names: "London" or "Leeds, York and 2 more"."""
    names = list(dict.fromkeys(sanitise(known.name if (known := region(code)) else code, 60) for code in codes))
    return join_words(names, limit)


def join_words(names: Sequence[str], limit: int = 3) -> str:
    """Names as a list in a sentence; beyond `limit`, "and N more"."""
    if len(names) > limit:
        return f"{', '.join(names[:limit])} and {len(names) - limit} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def strength(band: str, score: float | None) -> str:
    """The band in words, with the score where it is shared."""
    words = {"notify": "Strong match", "digest": "Possible match", "feed": "Weak match"}[band]
    return words if score is None else f"{words}, {round(score)} out of 100"


def band_advice(band: str) -> str:
    """What the band means for the reader."""
    return {
        "notify": "Requirement, timing and place fit well. Worth a conversation now.",
        "digest": "There is a fair chance that this fits. Worth a look when you review your plan.",
        "feed": "The fit is weak. Nothing needs to be done.",
    }[band]


_NOTICE: Final = re.compile(
    r"https://www\.(?:find-tender|contractsfinder)\.service\.gov\.uk/Notice/[A-Za-z0-9%._-]{1,200}"
)
"""A notice's page on one of the two portals: no other link of an event's text may stand in an email."""
LICENCE: Final = "Contains public sector information licensed under the Open Government Licence v3.0."


def change_note(change: str) -> str | None:
    """What is different from what the reader was told before; None for something new."""
    return {
        "again": "We told you this had ended. It is open again.",
        "stronger": "This is a stronger match than when we last wrote.",
        "weaker": "This is a weaker match than when we last wrote.",
        "moved": "The dates have moved since we last wrote.",
        "withdrawn": "We suggested this to you before. It no longer holds.",
    }.get(change)


def source(origin: Origin, notice: str | None) -> str | None:
    """The public notice that a plan is from, with its licence; None for a plan that its authority sent."""
    if origin is Origin.AUTHORITY:
        return None
    known = f"at {notice}" if notice and _NOTICE.fullmatch(notice) else "whose address is not known"
    what = (
        "From a public notice" if origin is Origin.NOTICE else "Not confirmed by them: it follows from a public notice"
    )
    return f"{what} {known}. {LICENCE}"


def own_plan(title: str | None, plan_id: str) -> str:
    """The reader's own plan: by title where it is shared, else by the reader's own reference, letter for letter."""
    reference = visible(plan_id.partition(":")[2] or plan_id)
    return sanitise(title, 120) if title else f"your plan {reference}"


def partner_noun(codes: Sequence[str]) -> str:
    """ "councils" where all of them have a council's GSS code, else "authorities"."""
    return "councils" if all(re.fullmatch(r"[EWSN]\d{8}", code) for code in codes) else "authorities"
