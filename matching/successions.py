"""Reorganisations that are decided and to come: which authority succeeds which, from when, in whole or in part."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from matching import reference


class SuccessionKind(StrEnum):
    """What becomes of the predecessor."""

    WHOLE = "whole"
    """It is dissolved, and all of it goes to this successor."""
    PART = "part"
    """It is dissolved and divided: which plan goes where, a person decides."""
    CONTINUING = "continuing"
    """It goes on, and gives something up."""


@dataclass(frozen=True, slots=True)
class Succession:
    """One predecessor and one of its successors. A successor has an org-id of its own until it has a GSS code."""

    predecessor: str
    successor: str
    successor_name: str
    starts: date
    kind: SuccessionKind
    source: str


def decided() -> tuple[Succession, ...]:
    """The successions that orders have made and whose sources could be restated."""
    rows = reference.read_rows("successions.tsv")
    return tuple(
        Succession(before, after, name, date.fromisoformat(starts), SuccessionKind(kind), source)
        for before, after, name, starts, kind, source in rows
    )
