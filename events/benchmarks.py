"""Benchmark events: an extension beyond twelve months asks for a benchmark, and the answer to it."""

from datetime import date
from enum import StrEnum
from typing import ClassVar, Final

from pydantic import Field

from events.fields import Authority, Payload, PlanId, Revision


class ExtensionDecision(StrEnum):
    """The authority's decision after it has looked at the benchmark."""

    EXTEND = "extend"
    EXTEND_SHORTER = "extend-shorter"
    TENDER = "tender"
    TENDER_JOINTLY = "tender-jointly"


class BenchmarkRequestState(Payload):
    """The whole request at this revision; consumers ignore a revision lower than one they have seen."""

    request_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    revision: Revision
    authority: Authority | None = Field(description="The authority that asks; null if the plan is not shared openly")
    plan_id: PlanId | None = Field(description="The plan to extend; null if it is not shared openly")
    category: str | None = Field(description="The first five digits of the plan's CPV code")
    months: int = Field(ge=13, description="Months past the contract's first end, including this extension")
    requested_on: date
    due_on: date = Field(description="Ten working days after the request")
    asked: int = Field(default=0, ge=0, description="Authorities with a comparable contract that were asked")
    answers: int = Field(default=0, ge=0, description="Of these, those that have answered")
    supplied: int = Field(default=0, ge=0, description="Of these, those that share what they pay")
    answered_on: date | None = None
    decision: ExtensionDecision | None = Field(default=None, description="The authority's decision")
    decided_on: date | None = None


class BenchmarkRequested(BenchmarkRequestState):
    """An extension asks for a benchmark."""

    type: ClassVar[str] = "jointly.benchmark.requested.v1"


class BenchmarkSupplied(BenchmarkRequestState):
    """A benchmark is available for the category, or an authority that was asked shares its prices."""

    type: ClassVar[str] = "jointly.benchmark.supplied.v1"


class BenchmarkNoneAvailable(BenchmarkRequestState):
    """Too few share prices in the category, and nobody who was asked does."""

    type: ClassVar[str] = "jointly.benchmark.none-available.v1"


class BenchmarkWithheld(BenchmarkRequestState):
    """No benchmark is available, and authorities withhold their prices in the category."""

    type: ClassVar[str] = "jointly.benchmark.withheld.v1"


BenchmarkPayload = BenchmarkRequested | BenchmarkSupplied | BenchmarkNoneAvailable | BenchmarkWithheld

BENCHMARK_PAYLOADS: Final[tuple[type[BenchmarkPayload], ...]] = (
    BenchmarkRequested,
    BenchmarkSupplied,
    BenchmarkNoneAvailable,
    BenchmarkWithheld,
)
