"""Who has contracts with which supplier, which end together, and how often a supplier is rated what."""

from datetime import date
from typing import Any

import pytest

from services.domain.supplier_view import (
    SupplierContract,
    count_ratings,
    group_by_supplier,
    merge_sources,
    say_group,
    search,
)
from tests.support.contracts import contract

TODAY = date(2026, 11, 26)
END = date(2027, 3, 31)


def running(authority: str = "A", supplier: str = "Northmoor Ltd", end: date | None = END, **more: str) -> Any:
    return SupplierContract(authority, more.get("reference", f"{authority}:C-1"), supplier, "Northmoor People", end)


def test_a_shared_contract_stands_for_the_plan_that_follows_it() -> None:
    shared = [running("A"), running("B", reference="B:77")]
    plans = [
        (running("A"), "other"),
        (running("B", reference="B:HR-PLAN"), "77"),
        (running("C", reference="C:HR-PLAN"), "77"),
    ]
    merged = merge_sources(shared, plans)
    assert [one.reference for one in merged] == ["A:C-1", "B:77", "C:HR-PLAN"]


@pytest.mark.parametrize(
    ("name", "product", "found"),
    [
        ("northmoor", "", True),
        ("NORTHMOOR LIMITED", "", True),
        ("fellgate", "", True),
        ("north", "", False),
        ("northmoor software", "", False),
        ("", "people", True),
        ("northmoor", "payroll", False),
    ],
)
def test_search_takes_whole_words_in_any_spelling(name: str, product: str, found: bool) -> None:
    assert bool(search([running(supplier="Northmoor Ltd; Fellgate plc")], name, product)) is found


def test_three_councils_whose_contracts_end_within_a_year_are_a_group() -> None:
    spellings = ["Northmoor Ltd", "NORTHMOOR LIMITED", "Northmoor"]
    three = [running(name, supplier) for name, supplier in zip("ABC", spellings, strict=True)]
    late = [
        running("D", end=date(2027, 11, 27)),
        running("E", end=date(2026, 11, 25)),
        running("F", end=None),
        running("G", "Fellgate"),
    ]
    (group,) = group_by_supplier([*three, *late], TODAY)
    assert (group.supplier, group.authorities) == ("Northmoor Ltd", 3)
    assert group_by_supplier([*three[:2], running("A", reference="A:C-2")], TODAY) == []


def rated(authority: str, *ratings: tuple[str, str]) -> Any:
    """Ratings as a period's last day and a word."""
    performance = [
        {"period": {"earliest": "2020-01-01", "latest": latest}, "indicator": "uptime", "rating": rating}
        for latest, rating in ratings
    ]
    return contract(authority, performance=performance)


def test_ratings_need_three_authorities() -> None:
    contracts = [
        rated("E08000031", ("2026-03-31", "good"), ("2025-03-31", "inadequate")),
        rated("E08000032", ("2026-03-31", "good"), ("2026-03-31", "approaching-target"), ("2026-03-31", "other")),
    ]
    assert count_ratings(contracts, "northmoor") is None
    contracts.append(rated("E08000033", ("2024-03-31", "good")))
    assert count_ratings(contracts, "northmoor") == {"good": 2, "approaching-target": 1}
    assert count_ratings(contracts, "fellgate") is None


def test_a_council_is_told_of_its_group_without_those_it_has_muted() -> None:
    codes = ["E08000035", "E08000032", "E08000034", "E08000033"]
    ends = [END, date(2027, 6, 30), date(2027, 1, 31), date(2027, 2, 28)]
    (group,) = group_by_supplier([running(code, end=end) for code, end in zip(codes, ends, strict=True)], TODAY)
    assert say_group(group, codes[0], TODAY) == (
        "4 councils' contracts with Northmoor Ltd end within a year: yours on 31 March 2027, those of Kirklees "
        "(January 2027), Calderdale (February 2027) and Bradford (June 2027)."
    )
    said = say_group(group, codes[0], TODAY, muted=[codes[1]])
    assert said is not None
    assert "3 councils" in said
    assert "Bradford" not in said
    assert say_group(group, codes[0], TODAY, muted=codes[1:3]) is None, "two councils are no group"
    assert say_group(group, "E06000014", TODAY) is None
