"""The reasons that bar a plan from a coalition: another coalition has formed, or the plan has ended. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from matching.plan import Status
from services.domain.coalition import PlanChange
from services.domain.disclosure import is_open

SENTENCES: Final[Mapping[PlanChange, str]] = {
    PlanChange.WITHDRAWN: "plan {plan_id} has been withdrawn, or is no longer shared openly",
    PlanChange.TENDERING: "plan {plan_id} is out to tender",
    PlanChange.AWARDED: "the contract of plan {plan_id} has been awarded",
}


@dataclass(frozen=True, slots=True)
class Bars:
    """The plans that can't come into a coalition. `elsewhere`: those in another one that has formed; `changed`: those
    that no coalition can count on any more.

    `groups`: the plans of each other living coalition, by its id. Only an undo in an ended coalition needs them.
    """

    elsewhere: frozenset[str] = frozenset()
    changed: Mapping[str, PlanChange] = field(default_factory=dict)
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def of_plan(self, plan_id: str) -> str | None:
        """Why the plan can't be in, as a sentence; None if nothing bars it."""
        if plan_id in self.elsewhere:
            return "the plan is in another coalition that has formed; leave that one first"
        return self.of_guest(plan_id)

    def of_guest(self, plan_id: str) -> str | None:
        """Why the plan can't even be asked. One that is in another coalition may leave that one, then accept."""
        change = self.changed.get(plan_id)
        return None if change is None else SENTENCES[change].format(plan_id=plan_id)


def plan_change(status: str, state: Mapping[str, Any] | None) -> PlanChange | None:
    """The change of a plan with this status and content; None if there is none.

    A plan no longer shared openly counts as withdrawn.
    """
    if status == Status.AWARDED:
        return PlanChange.AWARDED
    if status == Status.WITHDRAWN or state is None or not is_open(state):
        return PlanChange.WITHDRAWN
    return PlanChange.TENDERING if state.get("stage") == "tendering" else None
