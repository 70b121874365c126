"""Parses single cells of a register: amounts of money, durations, and the many words for "unknown"."""

import html
import re
from dataclasses import dataclass
from typing import Final

_NOTHING: Final = {
    "", "-", "--", "n/a", "na", "nil", "none", "null", "tbc", "tba", "tbd", "unknown", "not known", "not applicable",
    "not available", "not stated", "to be confirmed", "to be advised", "to be determined", "see notes", "various",
    "varies", "variable", "redacted", "confidential", "commercially sensitive", "commercial in confidence", "withheld",
    "#n/a", "#ref!", "#value!", "#name?", "#div/0!", "#null!", "#num!",
}  # fmt: skip
_TOTALS: Final = re.compile(r"(?:grand |sub[ -]?|overall )?totals?:?", re.IGNORECASE)

_NUMBER = re.compile(r"\d{1,3}(?:[, ]\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:E[+]?\d{1,2})?", re.IGNORECASE)
_CONTINENTAL = re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d{1,2})?|\d+,\d{1,2}")
_AMOUNT = re.compile(
    rf"(?P<limit>up to|approx\.?|approximately|circa|c\.?|est\.?|estimated|max\.?|maximum)?\s*(?:GBP|£)?\s*"
    rf"(?P<number>{_CONTINENTAL.pattern}(?![\d,.])|{_NUMBER.pattern})\s*(?P<unit>k|m|mil|million|thousand|bn)?\b\s*(?:GBP)?",
    re.IGNORECASE,
)
_FACTORS: Final = {"": 1, "k": 1e3, "thousand": 1e3, "m": 1e6, "mil": 1e6, "million": 1e6, "bn": 1e9}
_ANNUAL = re.compile(
    r"(?:per|a|each)\s+(?:annum|year)|p\.?\s?a\.?|/\s?(?:year|yr|annum)|annual(?:ly)?|yearly", re.IGNORECASE
)
_NET = re.compile(r"\(?(?:\+|plus|ex\.?|exc\.?|excl\.?|excluding|excludes|net of|without)\s*vat\)?", re.IGNORECASE)
_GROSS = re.compile(r"\(?(?:inc\.?|incl\.?|including|includes|with)\s*vat\)?", re.IGNORECASE)

_WORDS: Final = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "twelve": 12, "eighteen": 18, "twenty four": 24,
}  # fmt: skip
_PART = re.compile(
    r"(?:(?P<times>\d{1,2})\s*[x×*]\s*)?(?P<number>\d{1,3})\s*(?P<unit>months?|mths?|m|years?|yrs?|y)?", re.IGNORECASE
)
MAX_MONTHS: Final = 600


@dataclass(frozen=True, slots=True)
class Money:
    """The content of an amount cell. `amount` is in pounds without VAT, or None. `annual` is true if it is paid each
    year. `note` states an assumption, or the reason for no amount."""

    amount: float | None
    annual: bool = False
    note: str | None = None


def says_nothing(cell: str) -> bool:
    """Return whether a cell is empty, or holds a word for an unknown or withheld fact."""
    word = " ".join(cell.lower().split()).strip(".")
    return word in _NOTHING or word.startswith(("redacted", "commercial")) or not any(c.isalnum() for c in word)


def is_total(cell: str) -> bool:
    """Return whether a cell is the label of a row of totals."""
    return _TOTALS.fullmatch(cell.strip()) is not None


def money(cell: str) -> Money:
    """Parse an amount such as "£1.2m per annum", "up to £50k" or "1.25E+06"; if there is none, the amount is None with
    a note."""
    if says_nothing(cell):
        return Money(None)
    annual = bool(_ANNUAL.search(cell))
    gross = bool(_GROSS.search(cell))
    bare = " ".join(_ANNUAL.sub(" ", _GROSS.sub(" ", _NET.sub(" ", cell))).split()).strip(" ,;.")
    match = _AMOUNT.fullmatch(bare)
    if not match:
        return Money(None, note="a value that is not one amount was left out")
    number = match["number"]
    if _CONTINENTAL.fullmatch(number) and not _NUMBER.fullmatch(number):
        number = number.replace(".", "").replace(",", ".")
    amount = float(re.sub("[, ]", "", number)) * _FACTORS[(match["unit"] or "").lower()]
    note = "a value that includes VAT was taken as it is" if gross else None
    if match["limit"]:
        note = "a value given as a limit or an estimate was taken as it is"
    return Money(amount or None, annual, note)


def durations(cell: str) -> tuple[int, ...] | None:
    """Return the months of each part of a duration; None if the cell holds none.

    >>> durations("2+1+1"), durations("2 x 12 months"), durations("3 + 2 years"), durations("24 months")
    ((24, 12, 12), (12, 12), (36, 24), (24,))

    Added bare numbers are years; a single one is months. "No" and "None" mean zero months.
    """
    text = " ".join(cell.lower().replace("-", " ").split())
    if text in ("no", "none", "nil", "0"):
        return (0,)
    for word, number in _WORDS.items():
        text = re.sub(rf"\b{word}\b", str(number), text)
    text = re.sub(
        r"^(?:up to|a further|further|option of|optional|extension of|plus)\s+|\s+(?:extensions?|options?)$", "", text
    )
    parts = [part for part in re.split(r"\s*(?:\+|&|\bplus\b|\band\b|,)\s*", text) if part]
    matches = [_PART.fullmatch(part) for part in parts]
    if not matches or not all(matches):
        return None
    units = [match["unit"] for match in matches if match]
    shared = next((unit for unit in reversed(units) if unit), "y" if len(matches) > 1 else "m")
    months = []
    for match in matches:
        assert match
        factor = 12 if (match["unit"] or shared).startswith("y") else 1
        months += [int(match["number"]) * factor] * int(match["times"] or 1)
    return tuple(months) if sum(months) <= MAX_MONTHS else None


def option_months(parts: tuple[int, ...], span: int | None) -> int:
    """Return the extension in months left by the parts of a duration, for a contract of this many months.

    "2+1+1" is a term of two years and two options of one year. If the contract's length is the whole sum, it includes
    the options.
    """
    if len(parts) > 1 and span is not None and span == sum(parts):
        return 0
    if len(parts) > 2 or (len(parts) == 2 and span == parts[0]):
        return sum(parts[1:])
    return sum(parts)


def repaired(cell: str) -> str:
    """Clean a cell: no NUL or HTML escapes, and UTF-8 that was read as Windows-1252 repaired."""
    cell = html.unescape(cell.replace("\x00", "")) if "&" in cell or "\x00" in cell else cell
    if any(mark in cell for mark in ("â€", "Ã", "Â")):
        try:
            return cell.encode("cp1252").decode("utf-8")
        except UnicodeError:
            return cell
    return cell
