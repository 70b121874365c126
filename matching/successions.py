"""Reorganisations that are decided and to come: which authority succeeds which, from when, in whole or in part."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import cache
from itertools import product

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


@cache
def decided() -> tuple[Succession, ...]:
    """The successions that orders have made and whose sources could be restated."""
    rows = reference.read_rows("successions.tsv")
    return tuple(
        Succession(before, after, name, date.fromisoformat(starts), SuccessionKind(kind), source)
        for before, after, name, starts, kind, source in rows
    )


def dissolutions(day: date) -> dict[str, Succession | None]:
    """The authorities dissolved by a day, each with its successor; None if it was divided."""
    return {
        code: found[0] if found[0].kind is SuccessionKind.WHOLE else None
        for code, found in _dissolving().items()
        if found[0].starts <= day
    }


def dissolution_of(code: str) -> tuple[Succession, ...]:
    """The successions that dissolve an authority; several if it is divided, none if it continues."""
    return _dissolving().get(code, ())


def related_by_succession(code: str) -> frozenset[str]:
    """The successors and predecessors of an authority, including future ones."""
    return _related().get(code, frozenset())


def merging_with(code: str) -> frozenset[str]:
    """The authorities that will certainly merge with this one."""
    mergers = {other: merger_of(code, other) for other in _dissolving() if other != code}
    return frozenset(other for other, merger in mergers.items() if merger is not None and merger.certain)


def merger_of(code: str, other: str) -> Merger | None:
    """The merger of two authorities; None if there is none. If two successors are possible, the first by code."""
    mine, theirs = dissolution_of(code), dissolution_of(other)
    for one, two in sorted(product(mine, theirs), key=lambda both: both[0].successor):
        if one.successor == two.successor:
            certain = one.kind is two.kind is SuccessionKind.WHOLE
            return Merger(one.successor, one.successor_name, max(one.starts, two.starts), certain)
    return None


@cache
def _dissolving() -> dict[str, tuple[Succession, ...]]:
    found: dict[str, tuple[Succession, ...]] = {}
    for one in decided():
        if one.kind is not SuccessionKind.CONTINUING:
            found[one.predecessor] = (*found.get(one.predecessor, ()), one)
    return found


@cache
def _related() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for one in decided():
        found.setdefault(one.predecessor, set()).add(one.successor)
        found.setdefault(one.successor, set()).add(one.predecessor)
    return {code: frozenset(others) for code, others in found.items()}
