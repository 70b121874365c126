"""Which prices may be shown to others, and how exactly: cells of enough authorities, on a fixed grid. Pure.

Every price is rounded to the grid first. Everything published, in any number of quarters, therefore depends on a price
only through its 5 per cent step, and nobody can narrow it further.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, Self

from events.contracts import WithheldReason

GRID: Final = 1.05
"""Ratio between two neighbouring steps of the grid."""

MIN_AUTHORITIES: Final = 5
MIN_SUPPLIERS: Final = 3
MIN_AUTHORITIES_FOR_QUARTILES: Final = 8
MAX_SHARE: Final = 0.5
"""Share of the cell's quantity that one authority may have."""
MAX_SHARE_OF_TWO: Final = 0.85
"""Share of the cell's quantity that the two largest authorities may have together."""

CATEGORY_DIGITS: Final = 5


class SizeClass(StrEnum):
    """The quantity that a contract buys, in the cell's unit."""

    UNDER_100 = "under-100"
    FROM_100 = "100-to-999"
    FROM_1000 = "1000-to-9999"
    FROM_10000 = "10000-and-more"


class Suppression(StrEnum):
    """Why a cell shows no prices."""

    FEW_AUTHORITIES = "too-few-authorities"
    FEW_SUPPLIERS = "too-few-suppliers"
    DOMINATED = "dominated"


@dataclass(frozen=True, slots=True, order=True)
class Quarter:
    """A calendar quarter, 1 to 4."""

    year: int
    number: int

    @classmethod
    def containing(cls, day: date) -> Self:
        """The quarter that contains a day."""
        return cls(day.year, (day.month + 2) // 3)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a quarter written as 2026-Q3. Raises ValueError."""
        year, _, number = text.partition("-Q")
        if not (len(year) == 4 and year.isdigit() and number in ("1", "2", "3", "4")):
            raise ValueError(f"'{text}' is no quarter; write it as 2026-Q3")
        return cls(int(year), int(number))

    @property
    def first_day(self) -> date:
        """Its first day."""
        return date(self.year, 3 * self.number - 2, 1)

    @property
    def last_day(self) -> date:
        """Its last day."""
        following = Quarter(self.year + self.number // 4, self.number % 4 + 1)
        return following.first_day - timedelta(days=1)

    @property
    def previous(self) -> "Quarter":
        """The quarter before."""
        return Quarter.containing(self.first_day - timedelta(days=1))

    def __str__(self) -> str:
        return f"{self.year}-Q{self.number}"


@dataclass(frozen=True, slots=True, order=True)
class PriceStep:
    """A step of the grid: prices from `low` up to but excluding `high`, which is 5 per cent more."""

    index: int

    @classmethod
    def containing(cls, price: float) -> Self:
        """The step that contains a price above zero."""
        index = math.floor(math.log(price, GRID))
        # The logarithm may be off by one at a step's edge.
        while GRID ** (index + 1) <= price:
            index += 1
        while GRID**index > price:
            index -= 1
        return cls(index)

    @property
    def low(self) -> float:
        """Its lowest price."""
        return GRID**self.index

    @property
    def high(self) -> float:
        """The lowest price of the next step."""
        return GRID ** (self.index + 1)


@dataclass(frozen=True, slots=True)
class PriceRecord:
    """The price that one contract pays for one item, without VAT.

    `line` is the item's position among the contract's prices. `supplier` is a key shared by all spellings of a name.
    """

    contract_id: str
    line: int
    authority: str
    supplier: str
    category: str
    unit: str
    quantity: float
    unit_price: float


@dataclass(frozen=True, slots=True, order=True)
class CellKey:
    """The identity of a cell: a CPV category of five digits, the unit of the price, and the size of the contracts."""

    category: str
    unit: str
    size_class: SizeClass


@dataclass(frozen=True, slots=True)
class BenchmarkCell:
    """One cell of one quarter. It never changes once published.

    A suppressed cell has no numbers. `withheld` counts the category's contracts without prices, by reason.
    """

    key: CellKey
    quarter: Quarter
    suppression: Suppression | None = None
    authorities: int | None = None
    suppliers: int | None = None
    median: PriceStep | None = None
    quartiles: tuple[PriceStep, PriceStep] | None = None
    withheld: Mapping[WithheldReason, int] = field(default_factory=dict)


def category_of(cpv: str) -> str:
    """The category of a CPV code: its first five digits."""
    return cpv[:CATEGORY_DIGITS]


def size_class_of(quantity: float) -> SizeClass:
    """The size class of a quantity."""
    if quantity < 100:
        return SizeClass.UNDER_100
    if quantity < 1000:
        return SizeClass.FROM_100
    return SizeClass.FROM_1000 if quantity < 10_000 else SizeClass.FROM_10000


def build_cells(
    records: Iterable[PriceRecord], quarter: Quarter, withheld: Mapping[str, Mapping[WithheldReason, int]]
) -> list[BenchmarkCell]:
    """Build the cells of a quarter, ordered by key. Every record is in one cell; `withheld` is by category.

    Records without a price or a quantity above zero are ignored: free items are no benchmark.
    """
    by_key: dict[CellKey, list[PriceRecord]] = defaultdict(list)
    for record in records:
        if record.unit_price > 0 and record.quantity > 0:
            by_key[CellKey(record.category, record.unit, size_class_of(record.quantity))].append(record)
    return [_cell(key, quarter, by_key[key], withheld.get(key.category, {})) for key in sorted(by_key)]


def _cell(
    key: CellKey, quarter: Quarter, records: Sequence[PriceRecord], withheld: Mapping[WithheldReason, int]
) -> BenchmarkCell:
    voting = _one_each(records)
    suppression = _suppression(voting)
    if suppression is not None:
        return BenchmarkCell(key, quarter, suppression, withheld=withheld)
    steps = sorted(PriceStep.containing(record.unit_price) for record in voting)
    return BenchmarkCell(
        key,
        quarter,
        authorities=len(voting),
        suppliers=len({record.supplier for record in voting}),
        median=_quantile(steps, 2),
        quartiles=(_quantile(steps, 1), _quantile(steps, 3)) if len(steps) >= MIN_AUTHORITIES_FOR_QUARTILES else None,
        withheld=withheld,
    )


def _one_each(records: Sequence[PriceRecord]) -> list[PriceRecord]:
    """Pick each authority's record with the largest quantity, so that each has one vote.

    The choice ignores prices, and no prices are averaged: either would reveal more of a price than its step.
    """
    largest: dict[str, PriceRecord] = {}
    for record in sorted(records, key=lambda one: (-one.quantity, one.contract_id, one.line)):
        largest.setdefault(record.authority, record)
    return list(largest.values())


def _suppression(records: Sequence[PriceRecord]) -> Suppression | None:
    if len(records) < MIN_AUTHORITIES:
        return Suppression.FEW_AUTHORITIES
    if len({record.supplier for record in records}) < MIN_SUPPLIERS:
        return Suppression.FEW_SUPPLIERS
    quantities = sorted((record.quantity for record in records), reverse=True)
    total = math.fsum(quantities)
    if quantities[0] > MAX_SHARE * total or quantities[0] + quantities[1] > MAX_SHARE_OF_TWO * total:
        return Suppression.DOMINATED
    return None


def _quantile(steps: Sequence[PriceStep], quarters: int) -> PriceStep:
    """The lowest step that at least this many quarters of the authorities do not exceed."""
    return steps[math.ceil(len(steps) * quarters / 4) - 1]
