# ruff: noqa: SIM905 (a word list reads better as a text)
"""Formats names, dates and amounts for procurement officers. Plan text is data: one line, cut, never markup."""

import re
from collections.abc import Sequence
from datetime import date

from matching import reference

_MONTHS = "January February March April May June July August September October November December".split()
LONGEST_QUOTE = 80
_SMALL_WORDS = frozenset("and at for in of on the".split())
_INITIALS = frozenset("hm nhs uk".split())


def authority_short_name(code: str) -> str:
    """Return the authority's short name, else the name in its identifier, else the identifier."""
    known = reference.authority(code)
    if known:
        return known.short_name
    spoken = code.removeprefix("GB-X-") if code.startswith("GB-X-") else code
    spoken = re.sub(r"(?<=[a-z]{3})-s(?=-|$)", "'s", spoken).replace("-", " ") if code.startswith("GB-X-") else spoken
    name = " ".join(map(_capitalise, spoken.split(" ")))
    return sanitise_line(name[:1].upper() + name[1:], 40)


def _capitalise(word: str) -> str:
    if word in _SMALL_WORDS:
        return word
    return word.upper() if word in _INITIALS else word[:1].upper() + word[1:]


def sanitise_line(text: str, limit: int = LONGEST_QUOTE) -> str:
    """Return foreign text on one line, without control characters, cut at a word with an ellipsis."""
    line = re.sub(r"\s+", " ", "".join(c if c.isprintable() else " " for c in text)).strip()
    if len(line) <= limit:
        return line
    return line[: limit - 1].rsplit(" ", 1)[0].rstrip(" ,;:-") + "\u2026"


def format_date(day: date) -> str:
    """1 March 2027."""
    return f"{day.day} {format_month(day)}"


def format_month(day: date) -> str:
    """March 2027."""
    return f"{_MONTHS[day.month - 1]} {day.year}"


def format_date_range(first: date, last: date) -> str:
    """Format as "between 1 March and 30 June 2027", a month or year only once; a single day as a date."""
    if first == last:
        return f"on {format_date(first)}"
    if (first.year, first.month) == (last.year, last.month):
        return f"between {first.day} and {format_date(last)}"
    start = f"{first.day} {_MONTHS[first.month - 1]}" if first.year == last.year else format_date(first)
    return f"between {start} and {format_date(last)}"


def format_pounds(amount: float) -> str:
    """£1.2 million, £250,000, £950."""
    if amount >= 999_500:
        return f"£{amount / 1e6:,.1f} million".replace(".0 ", " ")
    return f"£{round(amount, -3):,.0f}" if amount >= 10_000 else f"£{amount:,.0f}"


def join_words(items: Sequence[str], limit: int | None = None) -> str:
    """a, b and c; beyond `limit` it ends in "and N more"."""
    if limit is not None and len(items) > limit:
        return f"{', '.join(items[:limit])} and {len(items) - limit} more"
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1] if items else ""
