"""Which contracts count in a quarter, who may see one from which day, and whose names are the same."""

from datetime import date
from typing import Any

import pytest

from events.contracts import WithheldReason
from services.domain.benchmark_cells import CellKey, Quarter, SizeClass, Suppression
from services.domain.benchmark_inputs import benchmark_inputs, cells_of_quarter
from services.domain.disclosure import Tier, contract_is_open, contract_opens_on
from services.domain.suppliers import supplier_key, supplier_names, suppliers_key
from tests.support.contracts import contract

QUARTER = Quarter(2026, 3)


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"start": None, "end": None}, True),
        ({"start": "2026-10-01"}, False),
        ({"start": "2026-09-30"}, True),
        ({"end": "2026-06-30"}, False),
        ({"end": "2026-07-01"}, True),
        ({"sharing": {"signatories": "2026-10-01"}}, False),
        ({"sharing": {"coalition": "2026-01-01"}}, False),
        ({"sharing": {"public": "2026-09-30"}}, True),
        ({"sharing": {}}, False),
        ({"cpv": []}, False),
    ],
)
def test_a_contract_counts_in_quarters_it_ran_openly(changes: dict[str, Any], counts: bool) -> None:
    assert bool(benchmark_inputs([contract(**changes)], QUARTER).records) is counts


def test_withheld_prices_are_counted_and_not_shown() -> None:
    contracts = [contract(prices=[], withheld="s94"), contract(prices=[], withheld="s94", cpv=["72260000"])]
    inputs = benchmark_inputs(contracts, QUARTER)
    assert inputs.records == ()
    assert inputs.withheld == {"48450": {WithheldReason.SENSITIVE: 1}, "72260": {WithheldReason.SENSITIVE: 1}}


def test_the_spellings_of_one_supplier_are_one() -> None:
    names = ("Northmoor Software Ltd", "NORTHMOOR SOFTWARE LIMITED", "Northmoor  Software (UK) plc")
    contracts = [contract(f"E0800003{n}", supplier=names[n % 3]) for n in range(6)]
    (cell,) = cells_of_quarter(contracts, QUARTER)
    assert cell.key == CellKey("48450", "user-year", SizeClass.FROM_1000)
    assert cell.suppression is Suppression.FEW_SUPPLIERS


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Fellgate Systems plc", "FELLGATE SYSTEMS", True),
        ("A & B Ltd", "A and B", True),
        ("Ltd", "UK", False),
        ("Northmoor Software", "Northmoor Services", False),
    ],
)
def test_supplier_keys(one: str, other: str, same: bool) -> None:
    assert (supplier_key(one) == supplier_key(other)) is same


def test_suppliers_of_one_contract_are_a_set() -> None:
    assert supplier_names(" A Ltd;; B ") == ["A Ltd", "B"]
    assert suppliers_key("A Ltd; B") == suppliers_key("B plc; A")


@pytest.mark.parametrize(
    ("sharing", "opens"),
    [
        ({}, (None, None, None)),
        ({"public": "2027-01-01"}, ("2027-01-01", "2027-01-01", "2027-01-01")),
        ({"coalition": "2026-01-01"}, ("2026-01-01", None, None)),
        ({"coalition": "2026-01-01", "public": "2028-01-01"}, ("2026-01-01", "2028-01-01", "2028-01-01")),
    ],
)
def test_a_tier_opens_with_the_next_wider_one(sharing: dict[str, str], opens: tuple[str | None, ...]) -> None:
    found = contract(sharing=sharing)
    assert [contract_opens_on(found, tier) for tier in Tier] == [day and date.fromisoformat(day) for day in opens]


def test_a_contract_is_open_from_its_day() -> None:
    found = contract(sharing={"signatories": "2026-07-01"})
    assert not contract_is_open(found, Tier.SIGNATORIES, date(2026, 6, 30))
    assert contract_is_open(found, Tier.SIGNATORIES, date(2026, 7, 1))
    assert not contract_is_open(found, Tier.PUBLIC, date(2030, 1, 1))
