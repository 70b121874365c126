"""The rules of a published cell, one by one."""

from dataclasses import replace
from datetime import date

import pytest

from events.contracts import WithheldReason
from services.domain.benchmark_cells import (
    BenchmarkCell,
    PriceRecord,
    PriceStep,
    Quarter,
    SizeClass,
    Suppression,
    build_cells,
    size_class_of,
)

QUARTER = Quarter(2026, 3)


def records(*prices: float, quantity: float = 1500.0, suppliers: int = 3) -> list[PriceRecord]:
    """One contract of each of as many authorities as there are prices."""
    return [
        PriceRecord(f"E{n:08}:C1", 0, f"E{n:08}", f"supplier {n % suppliers}", "48450", "user-year", quantity, price)
        for n, price in enumerate(prices)
    ]


def cell(found: list[PriceRecord], **withheld: int) -> BenchmarkCell:
    counted = {"48450": {WithheldReason(reason): count for reason, count in withheld.items()}}
    (only,) = build_cells(found, QUARTER, counted)
    return only


def test_a_cell_of_five_authorities_shows_no_quartiles() -> None:
    found = cell(records(10, 11, 12.1, 14, 20))
    assert (found.suppression, found.authorities, found.suppliers) == (None, 5, 3)
    assert found.median is not None
    assert found.median.low <= 12.1 < found.median.high
    assert found.quartiles is None


def test_eight_authorities_show_quartiles() -> None:
    found = cell(records(10, 11, 12, 13, 14, 15, 16, 17))
    assert found.quartiles == (PriceStep.containing(11), PriceStep.containing(15))
    assert found.median == PriceStep.containing(13)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (records(10, 11, 12, 13), Suppression.FEW_AUTHORITIES),
        (records(10, 11, 12, 13, 14, suppliers=2), Suppression.FEW_SUPPLIERS),
        ([*records(10, 11, 12, 13, quantity=1000), replace(records(9)[0], quantity=4001)], Suppression.FEW_AUTHORITIES),
        (
            [*records(10, 11, 12, 13, 14, quantity=1000), replace(records(9)[0], authority="E9", quantity=5001)],
            Suppression.DOMINATED,
        ),
        (
            [
                *records(10, 11, 12, quantity=1000),
                *(replace(records(9)[0], authority=f"E9{n}", quantity=8600) for n in (1, 2)),
            ],
            Suppression.DOMINATED,
        ),
    ],
)
def test_a_cell_that_breaks_a_rule_shows_no_number(found: list[PriceRecord], why: Suppression) -> None:
    shown = cell(found)
    assert shown.suppression is why
    assert (shown.authorities, shown.suppliers, shown.median, shown.quartiles) == (None, None, None, None)


def test_an_authority_at_exactly_half_is_shown() -> None:
    largest = replace(records(9)[0], authority="E9", quantity=5000)
    assert cell([*records(10, 11, 12, 13, 14, quantity=1000), largest]).suppression is None


def test_an_authority_votes_once_with_its_largest_contract() -> None:
    five = records(10, 11, 12, 13, 14)
    second = replace(five[4], contract_id="E00000004:C2", unit_price=1.0, quantity=1400.0)
    assert cell([*five, second]).median == cell(five).median
    assert cell([*five, replace(second, quantity=1600.0)]).median == PriceStep.containing(11)


def test_categories_units_and_sizes_are_cells_of_their_own() -> None:
    five = records(10, 11, 12, 13, 14)
    others = [replace(one, unit="user-month") for one in five] + [replace(one, quantity=50.0) for one in five]
    keys = [(found.key.unit, found.key.size_class) for found in build_cells([*five, *others], QUARTER, {})]
    assert keys == [
        ("user-month", SizeClass.FROM_1000),
        ("user-year", SizeClass.FROM_1000),
        ("user-year", SizeClass.UNDER_100),
    ]


def test_a_suppressed_cell_counts_withheld_contracts() -> None:
    assert cell(records(10, 11, 12, 13, 14), s94=2).withheld == {WithheldReason.SENSITIVE: 2}
    assert cell(records(10), s94=2).withheld == {WithheldReason.SENSITIVE: 2}


def test_free_items_are_no_benchmark() -> None:
    assert build_cells(records(0, 0, 0, 0, 0), QUARTER, {}) == []
    assert build_cells(records(1, quantity=0), QUARTER, {}) == []


@pytest.mark.parametrize("index", [-90, -1, 0, 1, 47, 200])
def test_a_step_holds_its_lowest_price_and_not_that_of_the_next(index: int) -> None:
    step = PriceStep(index)
    assert PriceStep.containing(step.low) == step
    assert PriceStep.containing(step.high) == PriceStep(index + 1)


@pytest.mark.parametrize(
    ("quantity", "size"),
    [(99.9, SizeClass.UNDER_100), (100, SizeClass.FROM_100), (9999, SizeClass.FROM_1000), (1e4, SizeClass.FROM_10000)],
)
def test_size_classes_are_powers_of_ten(quantity: float, size: SizeClass) -> None:
    assert size_class_of(quantity) is size


def test_quarters_follow_each_other() -> None:
    quarter = Quarter.containing(date(2026, 12, 31))
    assert (str(quarter), quarter.first_day, quarter.last_day) == ("2026-Q4", date(2026, 10, 1), date(2026, 12, 31))
    assert Quarter.parse("2027-Q1").previous == quarter
    assert QUARTER.last_day == date(2026, 9, 30)


@pytest.mark.parametrize("text", ["2026", "2026-Q5", "Q3", "26-Q3", "2026-Q33"])
def test_what_is_no_quarter_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="2026-Q3"):
        Quarter.parse(text)
