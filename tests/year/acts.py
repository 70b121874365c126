"""What councils do, and on which days: the words in which the scenario is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from events.contracts import ContractPayload
from events.plans import PlanAwarded, PlanPayload, PlanPublished, PlanState, PlanUpdated, PlanWithdrawn

FIRST: Final = date(2026, 4, 7)
DAYS: Final = tuple(FIRST + timedelta(weeks=2 * number) for number in range(39))
REPORTS: Final = tuple(DAYS[number] for number in (5, 12, 18, 25, 31, 38))
VESTING: Final = date(2027, 4, 1)
GUILDFORD, WOKING, ELMBRIDGE, EPSOM = "E07000209", "E07000217", "E07000207", "E07000208"
SURREY: Final = (GUILDFORD, WOKING, ELMBRIDGE, EPSOM)
WEST_SURREY: Final = "GB-X-West-Surrey-Council"
COUNCILS: Final = (
    *(f"E080000{number:02}" for number in (*range(1, 16), 17, 18, *range(22, 37))),
    *(f"E0900000{number}" for number in range(2, 6)),
    *SURREY,
)
WITHOUT_MAILBOX: Final = COUNCILS[35]
LEAVES: Final = COUNCILS[34]
LEFT_ON: Final = date(2027, 2, 1)


@dataclass(frozen=True)
class Signatory:
    """One line of the register as it ends up."""

    authority: str
    signed_on: date
    lapsed_on: date | None = None
    withdrawn_on: date | None = None

    @property
    def mailbox(self) -> str | None:
        """Its role mailbox, unless it has named none."""
        return None if self.authority == WITHOUT_MAILBOX else f"buyers@{self.authority.lower()}.example"


@dataclass(frozen=True)
class PlanEvent:
    """A council's system publishes a plan event; `notice`: it was made from a public notice."""

    day: date
    payload: PlanPayload
    notice: bool = False


@dataclass(frozen=True)
class ContractEvent:
    """A council's system publishes what it shares of a contract."""

    day: date
    payload: ContractPayload


@dataclass(frozen=True)
class Said:
    """A council answers or does something with one of its plans.

    `about`: the coalition that the plan is in, its pair with `partner`, the benchmark request of its own plan or of the
    plan `partner`, or the plan itself.
    `counts`: whether the answer is in time and allowed. `undone`: whether the council takes it back on the same day.
    """

    day: date
    plan_id: str
    kind: str
    about: str = "coalition"
    partner: str = ""
    said: Mapping[str, Any] = field(default_factory=dict)
    counts: bool = True
    undone: bool = False


@dataclass(frozen=True)
class Extension:
    """A plan to extend a contract: the contract's ends, first and present, and the months to come."""

    day: date
    plan_id: str
    cpv: str
    first_end: date
    current_end: date
    months: int


@dataclass(frozen=True)
class Need:
    """A need that several councils have: the words of their plans, and the window of their tenders."""

    key: str
    title: str
    cpv: str
    earliest: date
    pounds: int = 900_000


def plan(plan_id: str, need: Need, revision: int = 1, **changes: Any) -> PlanState:
    """A council's plan of a need, as published or updated."""
    values: dict[str, Any] = {
        "plan_id": plan_id,
        "revision": revision,
        "authority": plan_id.split(":")[0],
        "title": need.title,
        "description": f"{need.title} for the whole council.",
        "kind": "renewal",
        "cpv": [need.cpv],
        "value": {"amount": need.pounds},
        "tender_window": {"earliest": need.earliest, "latest": need.earliest + timedelta(days=120)},
    }
    kind = PlanPublished if revision == 1 else PlanUpdated
    return kind.model_validate({**values, **changes})


def gone(plan_id: str, revision: int, *, awarded: bool) -> PlanPayload:
    """The end of a plan: awarded, or withdrawn."""
    kind = PlanAwarded if awarded else PlanWithdrawn
    return kind.model_validate({"plan_id": plan_id, "revision": revision, "authority": plan_id.split(":")[0]})
