"""A plan's route record: which collaborative routes were looked at before a contract of its own, and what came of it.

Pure. Every step is prompted and none is locked: a record with gaps is shown as such.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

from events.responses import RouteOutcome, RouteReason, RouteStep

STEPS: Final = tuple(RouteStep)
"""In the order in which they are looked at."""

BEFORE_NEW: Final = (RouteStep.FRAMEWORK, RouteStep.COALITION)
"""What the third principle asks for before a new contract; a framework's own coalition is one of both."""


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """One step as it was recorded: `recorded_on` is the day it arrived, `coalition_id` where it was for a coalition."""

    step: RouteStep
    outcome: RouteOutcome
    asked_at: date
    by: str
    authority: str
    recorded_on: date
    candidates: tuple[str, ...] = ()
    reason: RouteReason | None = None
    note: str = ""
    coalition_id: str | None = None
    response_id: str = ""


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """What stands of each step: the entry that was recorded last."""

    entries: tuple[RouteEntry, ...]

    @property
    def chosen(self) -> RouteStep | None:
        """The route that is taken: the first that was chosen."""
        return next((one.step for one in self.entries if one.outcome is RouteOutcome.CHOSEN), None)

    @property
    def missing(self) -> tuple[RouteStep, ...]:
        """The steps before the chosen one that nobody has looked at; before a new contract where none is chosen yet."""
        looked_at = {one.step for one in self.entries if one.outcome is not RouteOutcome.NOT_CHECKED}
        end = STEPS.index(self.chosen or RouteStep.NEW)
        return tuple(step for step in BEFORE_NEW if STEPS.index(step) < end and step not in looked_at)

    def entry(self, step: RouteStep) -> RouteEntry | None:
        """What stands of a step."""
        return next((one for one in self.entries if one.step is step), None)


def build_record(entries: Iterable[RouteEntry]) -> RouteRecord:
    """The record of entries in the order in which they arrived."""
    latest = {one.step: one for one in entries}
    return RouteRecord(tuple(latest[step] for step in STEPS if step in latest))
