"""Decides whether two identifiers mean one organisation, or a body and a part of it.

Only identifiers made from a name (`GB-X-ministry-of-defence-mod`) are compared: those of a register are unique.
"""

import re
from functools import lru_cache
from typing import Final

from matching.reference import MOST_CODES
from matching.reference.authority_names import identify

_FROM_A_NAME: Final = re.compile(r"GB-X-([a-z0-9-]+)", re.IGNORECASE)
_FILLERS: Final = frozenset(
    ["the", "and", "of", "for", "in", "on", "a", "s", "ltd", "limited", "plc", "llp", "co", "company", "corporation"]
)
_SHORT_FORMS: Final = {
    "dept": "department",
    "govt": "government",
    "hm": "her majesty",
    "his": "her",
    "uni": "university",
}
# Two words alone can name a body ("home office"). Three shared words, in any order, mean a body and its part.
_MIN_NAME, _MIN_SHARED = 2, 3
_MIN_ACRONYM, _MAX_ACRONYM = 3, 6
_ACRONYM: Final = re.compile(r"[b-df-hj-np-tv-xz]{3,6}")
_KINDS: Final = frozenset(["nhs", "ccg", "plc", "llp", "ltd"])
"""Acronyms for a kind of body, which identify none."""

# Agencies of British departments and other parts whose names do not say so, in telling words (`_telling`). An
# acronym of two letters must be the whole name (`=`).
_PARTS_OF: Final = {
    "ministry justice|moj": (
        "court tribunal service|hmct|legal aid agency|prison probation service|hmpp|"
        "national offender management service|national probation service|office public guardian|"
        "criminal injurie compensation authority"
    ),
    "ministry defence|mod": (
        "british army|royal air force|royal navy|defence equipment support|defence science technology laboratory|"
        "hydrographic office"
    ),
    "home office": "passport office|hmpo|border force|visa immigration",
    "cabinet office": "government digital service|=gd|crown commercial service|civil service hr",
    "department transport|dft": (
        "driver vehicle licensing agency|dvla|driver vehicle standard agency|dvsa|maritime coastguard agency"
    ),
    "department education": "education skill funding agency|standard testing agency",
    "department health|dhsc": "medicine healthcare product regulatory agency|public health england",
    "foreign commonwealth office|fco|foreign commonwealth development office|fcdo": "fco service|fcdo service",
}
_APART: Final = frozenset(["scottish", "scotland", "ireland", "wale", "welsh", "museum"])
"""Telling words of bodies outside a department: those of another nation, and its museums."""


def is_same_body(one: str, other: str) -> bool:
    """Whether two authority identifiers mean one organisation or a parent and its part; the same in either order.

    >>> is_same_body("GB-X-department-for-work-and-pensions-dwp", "GB-X-department-of-work-pensions")
    True
    >>> is_same_body("GB-X-leeds-city-council", "E08000035")
    True
    >>> is_same_body("GB-X-environment-agency", "GB-X-scottish-environment-protection-agency")
    False
    """
    first, second = min(one, other), max(one, other)
    return first == second or _same(first, second)


@lru_cache(maxsize=50 * MOST_CODES)
def _same(one: str, other: str) -> bool:
    names = _words(one), _words(other)
    if not any(names):
        return False
    if not all(names):
        # One identifier is a register's; the other may be the same council by name.
        named, code = (one, other) if names[0] else (other, one)
        council = identify(" ".join(_spelled(named)))
        return council is not None and council.code == code
    shorter, longer = sorted((_telling(words) for words in names), key=len)
    if _is_part(shorter, longer) or _is_parent(shorter, longer) or _is_parent(longer, shorter):
        return True
    return _acronym_meets(*names) or _acronym_meets(*names[::-1]) or _acronym_shared(*names)


def _acronym_shared(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return not (_acronyms(one) | _acronyms(other)).isdisjoint(set(one) & set(other))


def _acronyms(words: tuple[str, ...]) -> set[str]:
    """Return the words that can only be acronyms, or the whole name if it is one short word."""
    alone = {word for word in words if len(words) == 1 and len(word) <= _MAX_ACRONYM}
    return {word for word in words if _ACRONYM.fullmatch(word) and word not in _KINDS} | alone


def _is_part(shorter: tuple[str, ...], longer: tuple[str, ...]) -> bool:
    if shorter and shorter == longer:
        return True
    if len(shorter) < _MIN_NAME:
        return False
    starts = range(len(longer) - len(shorter) + 1)
    in_a_row = any(longer[at : at + len(shorter)] == shorter for at in starts)
    return in_a_row or (len(set(shorter)) >= _MIN_SHARED and set(shorter) <= set(longer))


def _is_parent(parent: tuple[str, ...], part: tuple[str, ...]) -> bool:
    """Whether a table says that one body belongs to the other. Two parts of one department are strangers."""
    # The parent's name begins with the department. Elsewhere in a name, a department is a partner and no parent.
    begins = " ".join(parent) + " "
    return _outside(parent) == _outside(part) and any(
        begins.startswith(tuple(f"{name} " for name in department.split("|")))
        and _names_one(parts, part)
        and not _names_one(parts, parent)
        for department, parts in _PARTS_OF.items()
    )


def _outside(words: tuple[str, ...]) -> set[str]:
    """The words by which a body is no part of a British department; one of England and Wales is."""
    return {word for word in words if word in _APART and not (word == "wale" and "england" in words)}


def _names_one(listed: str, words: tuple[str, ...]) -> bool:
    """Whether a name has the words of one of the listed bodies in a row, or is the one marked `=`."""
    name = " ".join(words)
    return any(f" {body} " in f" {name} " or body == f"={name}" for body in listed.split("|"))


def _acronym_meets(short: tuple[str, ...], spelled: tuple[str, ...]) -> bool:
    """Return whether one name contains the initials of the other as a word (`dvla`, `moj`, `hmrc`)."""
    initials = {"".join(word[0] for word in words) for words in (spelled, _telling(spelled))}
    return any(word in initials for word in short if _MIN_ACRONYM <= len(word) <= _MAX_ACRONYM)


def _spelled(code: str) -> tuple[str, ...]:
    named = _FROM_A_NAME.fullmatch(code)
    return tuple(word for word in named.group(1).lower().split("-") if word) if named else ()


@lru_cache(maxsize=MOST_CODES)
def _words(code: str) -> tuple[str, ...]:
    return tuple(part for word in _spelled(code) for part in _SHORT_FORMS.get(word, word).split())


def _telling(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words without fillers, plurals and a bracketed acronym of their own."""
    kept = [word.rstrip("s") for word in words if word not in _FILLERS]
    initials = {"".join(word[0] for word in run) for run in (_runs(kept) + _runs(list(words)))}
    return tuple(word for word in kept if word not in initials) or tuple(kept)


def _runs(words: list[str]) -> list[list[str]]:
    """Yield every run of words from the first that is long enough for an acronym."""
    return [words[:end] for end in range(_MIN_ACRONYM, min(len(words), _MAX_ACRONYM) + 1)]
