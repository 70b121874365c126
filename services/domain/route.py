"""Route records of plans and coalitions: the collaborative routes that were checked, and the outcome of each.

Pure. Every step is prompted and none is required: a record with gaps is shown with its gaps.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from events.responses import RouteOutcome, RouteReason, RouteStep

STEPS: Final = tuple(RouteStep)
"""In the order in which they are checked."""

BEFORE_NEW: Final = (RouteStep.FRAMEWORK, RouteStep.COALITION)
"""The steps that the third principle asks for before a new contract."""


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """One recorded step. `recorded_on` is the day it arrived; `coalition_id` is set if it was for a coalition."""

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

    def as_json(self) -> dict[str, Any]:
        """The step for programs."""
        return {
            "step": self.step,
            "outcome": self.outcome,
            "asked_at": self.asked_at.isoformat(),
            "by": self.by,
            "authority": self.authority,
            "recorded_on": self.recorded_on.isoformat(),
            "candidates": list(self.candidates),
            "reason": self.reason,
            "note": self.note,
            "coalition_id": self.coalition_id,
        }


@dataclass(frozen=True, slots=True)
class RouteRecord:
    """The newest entry of each step."""

    entries: tuple[RouteEntry, ...]

    @property
    def chosen(self) -> RouteStep | None:
        """The route taken: the first step with the outcome chosen."""
        return next((one.step for one in self.entries if one.outcome is RouteOutcome.CHOSEN), None)

    @property
    def missing(self) -> tuple[RouteStep, ...]:
        """The steps nobody has checked before the chosen one, or before a new contract if none is chosen yet."""
        looked_at = {one.step for one in self.entries if one.outcome is not RouteOutcome.NOT_CHECKED}
        end = STEPS.index(self.chosen or RouteStep.NEW)
        return tuple(step for step in BEFORE_NEW if STEPS.index(step) < end and step not in looked_at)

    def entry(self, step: RouteStep) -> RouteEntry | None:
        """The newest entry of a step."""
        return next((one for one in self.entries if one.step is step), None)


def build_record(entries: Iterable[RouteEntry]) -> RouteRecord:
    """Build the record from entries in their order of arrival."""
    latest = {one.step: one for one in entries}
    return RouteRecord(tuple(latest[step] for step in STEPS if step in latest))


@dataclass(frozen=True, slots=True)
class CoalitionRoutes:
    """What members of a coalition recorded: by step, the newest entry of each authority."""

    by_step: Mapping[RouteStep, tuple[RouteEntry, ...]]

    @property
    def to_consider(self) -> tuple[RouteStep, ...]:
        """The steps that no member has looked at and that come before the route chosen, or before a joint tender."""
        outcomes = {step: {one.outcome for one in entries} for step, entries in self.by_step.items()}
        chosen = next((step for step in STEPS if RouteOutcome.CHOSEN in outcomes[step]), RouteStep.COALITION)
        return tuple(step for step in STEPS[: STEPS.index(chosen)] if outcomes[step] <= {RouteOutcome.NOT_CHECKED})


def build_coalition_routes(entries: Iterable[RouteEntry]) -> CoalitionRoutes:
    """Build a coalition's routes from its members' entries in their order of arrival."""
    latest = {(one.step, one.authority): one for one in entries}
    return CoalitionRoutes({step: tuple(latest[key] for key in sorted(latest) if key[0] is step) for step in STEPS})
