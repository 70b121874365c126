"""Reorganisations that are decided and to come: which authority succeeds which, from when, in whole or in part."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from itertools import groupby, product

from matching import reference


class SuccessionKind(StrEnum):
    """The fate of the predecessor."""

    WHOLE = "whole"
    """It is dissolved, and this successor takes over everything."""
    PART = "part"
    """It is dissolved and divided; a person decides on each plan's successor."""
    CONTINUING = "continuing"
    """It continues, and gives up some of its tasks or area."""


@dataclass(frozen=True, slots=True)
class Succession:
    """One predecessor and one of its successors. A successor has an org-id of its own until it has a GSS code."""

    predecessor: str
    successor: str
    successor_name: str
    starts: date
    kind: SuccessionKind
    source: str


@dataclass(frozen=True, slots=True)
class Merger:
    """Two authorities that become one. `certain`: neither of them is divided."""

    successor: str
    successor_name: str
    starts: date
    certain: bool


class SuccessionError(ValueError):
    """Successions contradict each other; the message names the authority."""


class _Register:
    """The successions in effect. `version` is empty for the shipped ones alone, else a short hash of all of them."""

    def __init__(self, successions: tuple[Succession, ...], *, is_shipped: bool) -> None:
        self.successions = successions
        # Assessments depend on all but the source.
        facts = [(one.predecessor, one.successor, one.successor_name, one.starts, one.kind) for one in successions]
        self.version = "" if is_shipped else hashlib.sha256(repr(facts).encode()).hexdigest()[:12]
        self.dissolving: dict[str, tuple[Succession, ...]] = {}
        self.related: dict[str, set[str]] = {}
        for one in successions:
            if one.kind is not SuccessionKind.CONTINUING:
                self.dissolving[one.predecessor] = (*self.dissolving.get(one.predecessor, ()), one)
            self.related.setdefault(one.predecessor, set()).add(one.successor)
            self.related.setdefault(one.successor, set()).add(one.predecessor)


@cache
def shipped() -> tuple[Succession, ...]:
    """The successions that come with Jointly: orders that were made and whose sources could be restated."""
    rows = reference.read_rows("successions.tsv")
    return tuple(
        Succession(before, after, name, date.fromisoformat(starts), SuccessionKind(kind), source)
        for before, after, name, starts, kind, source in rows
    )


_register = _Register(shipped(), is_shipped=True)


def check(own: Iterable[Succession]) -> tuple[Succession, ...]:
    """The successions in order. Raises SuccessionError if an authority goes to one successor as a whole and to another
    one too, or on two days."""
    found = tuple(sorted(own, key=lambda one: (one.predecessor, one.successor)))
    for code, its in groupby(found, key=lambda one: one.predecessor):
        _require_one_fate(code, list(its))
    return found


def use(own: Iterable[Succession]) -> None:
    """Put an installation's own successions into effect, beside the shipped ones, for this whole process.

    A process calls it once, at its start. All successions of an authority are replaced if it is among the predecessors.
    Raises SuccessionError as `check` does.
    """
    global _register
    added = check(own)
    replaced = {one.predecessor for one in added}
    kept = tuple(one for one in shipped() if one.predecessor not in replaced)
    _register = _Register((*kept, *added), is_shipped=not added)


def decided() -> tuple[Succession, ...]:
    """The successions in effect: the shipped ones and the installation's own."""
    return _register.successions


def version() -> str:
    """The version of the successions in effect; empty for the shipped ones alone."""
    return _register.version


def dissolutions(day: date) -> dict[str, Succession | None]:
    """The authorities dissolved by a day, each with its successor; None if it was divided."""
    return {
        code: found[0] if found[0].kind is SuccessionKind.WHOLE else None
        for code, found in _register.dissolving.items()
        if found[0].starts <= day
    }


def dissolution_of(code: str) -> tuple[Succession, ...]:
    """The successions that dissolve an authority; several if it is divided, none if it continues."""
    return _register.dissolving.get(code, ())


def related_by_succession(code: str) -> frozenset[str]:
    """The successors and predecessors of an authority, including future ones."""
    return frozenset(_register.related.get(code, ()))


def merging_with(code: str) -> frozenset[str]:
    """The authorities that will certainly merge with this one."""
    mergers = {other: merger_of(code, other) for other in _register.dissolving if other != code}
    return frozenset(other for other, merger in mergers.items() if merger is not None and merger.certain)


def merger_of(code: str, other: str) -> Merger | None:
    """The merger of two authorities; None if there is none. If two successors are possible, the first by code."""
    mine, theirs = dissolution_of(code), dissolution_of(other)
    for one, two in sorted(product(mine, theirs), key=lambda both: both[0].successor):
        if one.successor == two.successor:
            certain = one.kind is two.kind is SuccessionKind.WHOLE
            return Merger(one.successor, one.successor_name, max(one.starts, two.starts), certain)
    return None


def _require_one_fate(code: str, found: list[Succession]) -> None:
    ending = [one for one in found if one.kind is not SuccessionKind.CONTINUING]
    if len(ending) > 1 and any(one.kind is SuccessionKind.WHOLE for one in ending):
        names = " and ".join(one.successor_name for one in ending)
        raise SuccessionError(f"{code} can't go to {names}: a succession that is whole is the only one")
    if len({one.starts for one in ending}) > 1:
        raise SuccessionError(f"{code} is dissolved on two days; give all its successions one day")
