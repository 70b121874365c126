"""Phrases for emails: dates, bands, subjects. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from events.fields import Origin, Window
from events.opportunities import NearestMove
from matching.reference import region
from matching.text import formatting
from matching.text.formatting import join_words
from services.notifier.rendering.plain_text import sanitise


def format_date_range(window: Window) -> str:
    """A window in words: "between 1 March and 30 June 2027"."""
    return formatting.format_date_range(window.earliest, window.latest)


def say_move(move: NearestMove, waits: str) -> str:
    """The move that would make two windows overlap: "If you waited, both could go to tender between ..."."""
    return f"If {waits} waited, both could go to tender {format_date_range(move.common_window)}."


def places(codes: Sequence[str]) -> str:
    """ITL codes as names: "London" or "Leeds, York and 2 more"."""
    names = list(dict.fromkeys(sanitise(known.name if (known := region(code)) else code, 60) for code in codes))
    return join_words(names, 3)


def strength(band: str, score: float | None) -> str:
    """The band in words, with the score if it is shared."""
    words = {"notify": "Strong match", "digest": "Possible match", "feed": "Weak match"}[band]
    return words if score is None else f"{words}, {round(score)} out of 100"


_IN_THE_TABLE: Final = re.compile(
    r"\bCPV\b|^Both texts speak of |^Both can (?:go to )?tender |^Decide by "
    r"|^If .* waited |^Together (?:they are )?worth | expects to spend .* gives no value"
    r"|^Both are in (?:England|Scotland|Wales|Northern Ireland)\b|^They are in different nations"
)
"""Reasons shown elsewhere in an email, or of no use to a buyer: codes, common words, dates, money, nations."""
_LIKENESS: Final = re.compile(
    r"^Both plans |^The two plans |^Both (?:are|lie) in |^They are |^One is for the whole |^The windows do not meet"
)
"""What speaks for a pair, or is told with its dates. Every other reason is a caveat, so that none is lost."""
_TITLES: Final = re.compile(r": \u201c.*\u201d\.?$")
_WHY: Final = 2


def why(reasons: Sequence[str], *, ended: bool) -> str:
    """One line of reasons that the table does not show."""
    said = [one for one in reasons if ended or (_LIKENESS.search(one) and not _IN_THE_TABLE.search(one))]
    return " ".join(sentence for text in said[:_WHY] if (sentence := sanitise(_TITLES.sub(".", text), 200)))


def caveats(reasons: Sequence[str]) -> str:
    """What a buyer should look at before it answers: values far apart, few common days, a framework, another law."""
    said = [one for one in reasons if not _LIKENESS.search(one) and not _IN_THE_TABLE.search(one)]
    return " ".join(sentence for text in said if (sentence := sanitise(text, 200)))


def count_words(number: int) -> str:
    """ "three" up to nine, digits beyond."""
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return words[number] if number < len(words) else str(number)


_NOTICE: Final = re.compile(
    r"https://www\.(?:find-tender|contractsfinder)\.service\.gov\.uk/Notice/[A-Za-z0-9%._-]{1,200}"
)
"""A notice's page on one of the two portals. Emails contain no other link from an event's text."""
LICENCE: Final = "Contains public sector information licensed under the Open Government Licence v3.0."


def change_note(change: str) -> str | None:
    """The change since the previous email; None for a new match."""
    return {
        "again": "we told you this had ended, and it is open again",
        "stronger": "stronger than when we last wrote",
        "weaker": "weaker than when we last wrote",
        "moved": "the dates have moved since we last wrote",
        "introduced": "you have been introduced",
    }.get(change)


def source(origin: Origin, notice: str | None) -> str | None:
    """The public notice behind a plan, with its licence; None for a plan that its authority sent."""
    if origin is Origin.AUTHORITY:
        return None
    known = f"at {notice}" if notice and _NOTICE.fullmatch(notice) else "whose address is not known"
    what = (
        "From a public notice" if origin is Origin.NOTICE else "Not confirmed by them: it follows from a public notice"
    )
    return f"{what} {known}. {LICENCE}"


def partner_noun(codes: Sequence[str]) -> str:
    """ "councils" where all of them have a council's GSS code, else "authorities"."""
    return "councils" if all(re.fullmatch(r"[EWSN]\d{8}", code) for code in codes) else "authorities"
