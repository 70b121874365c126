"""Who supplies what now: the contract that a register's row speaks of, and rows that speak of one contract."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from services.ingest.entries import AcceptedEntry, Entry, SkippedEntry
from services.ingest.register.incumbent import product_name, suppliers
from tests.unit.ingest import accepted, rejected
from tests.unit.ingest.reading import reads_of

HEADINGS = "Contract Ref,Contract Title,Supplier Name,Start Date,End Date,Extension Options,Total Value,Annual Value"
PAYROLL = "C-1,Payroll system (iTrent),Acme Ltd,01/04/2024,31/03/2028,2 x 12 months"


def current(tmp_path: Path, row: str, headings: str = HEADINGS) -> Any:
    (plan,) = accepted(reads_of(tmp_path, f"{headings}\n{row}\n"))
    return plan.current_contract


def test_a_row_says_who_supplies_what_until_when(tmp_path: Path) -> None:
    contract = current(tmp_path, f"{PAYROLL},400000,")
    assert (contract.reference, contract.supplier, contract.product) == ("C-1", "Acme Ltd", "iTrent")
    assert (contract.end, contract.extension_months) == (date(2028, 3, 31), 24)
    assert (contract.annual_value.amount, contract.annual_value.currency) == (100_000, "GBP")


@pytest.mark.parametrize(
    ("total", "annual", "expected"),
    [("", "£90k", 90_000), ("£80k per annum", "", 80_000), ("400000", "£70k", 70_000), ("TBC", "", None)],
)
def test_what_is_paid_a_year(tmp_path: Path, total: str, annual: str, expected: float | None) -> None:
    paid = current(tmp_path, f"{PAYROLL},{total},{annual}").annual_value
    assert (paid.amount if paid else None) == expected


def test_a_contract_in_its_extension_ends_with_it(tmp_path: Path) -> None:
    contract = current(tmp_path, "C-1,Payroll,Acme Ltd,01/04/2022,31/03/2026,24 months,,")
    assert (contract.end, contract.extension_months) == (date(2028, 3, 31), 0)


def test_a_pipeline_has_no_contract_that_runs(tmp_path: Path) -> None:
    assert current(tmp_path, "Payroll,01/06/2028", "Title,Anticipated tender date") is None


@pytest.mark.parametrize(
    ("title", "description", "product"),
    [
        ("Library management system", "The system is called Spydus 10", "Spydus 10"),
        ("Social care case management (Mosaic)", "", "Mosaic"),
        ("Highways works (Lot 2)", "", "Highways works (Lot 2)"),
        ("Supply and fit of fire doors", "", "fire doors"),
        ("Telephony (3 years)", "", "Telephony (3 years)"),
        ("Contract for the provision of school meals", "", "school meals"),
        ("Maintenance", "", "Maintenance"),
    ],
)
def test_the_product_is_named_by_title_and_description(title: str, description: str, product: str) -> None:
    assert product_name({"title": title, "description": description}) == product


def test_contacts_of_a_supplier_are_left_out() -> None:
    assert suppliers("Acme Ltd (sales@acme.example); TBC | Acme Ltd (sales@acme.example)") == (
        "Acme Ltd ([email removed])"
    )


def joined(reads: list[Entry]) -> list[str]:
    return [read.where for read in reads if isinstance(read, SkippedEntry)]


def test_a_contract_listed_once_for_each_supplier_is_one_plan(tmp_path: Path) -> None:
    row = "C-9,Agency staff,{},01/04/2024,31/03/2028,,400000,"
    reads = reads_of(tmp_path, "\n".join([HEADINGS, *map(row.format, ("Acme Ltd", "Bolt plc", "Acme Ltd")), ""]))
    (plan,) = accepted(reads)
    assert plan.current_contract.supplier == "Acme Ltd; Bolt plc"
    assert plan.value.amount == 400_000
    assert joined(reads) == ["row 3", "row 4"]


def test_values_of_a_contract_listed_once_for_each_lot_are_added(tmp_path: Path) -> None:
    row = "C-9,Agency staff,Acme Ltd,01/04/2024,31/03/2028,,{},"
    (read, _) = reads_of(tmp_path, "\n".join([HEADINGS, *map(row.format, ("£100k", "£50k")), ""]))
    assert isinstance(read, AcceptedEntry)
    assert accepted([read])[0].value.amount == 150_000
    assert "values of rows of one contract were added" in read.notes


def test_values_that_can_not_be_added_are_left_out(tmp_path: Path) -> None:
    row = "C-9,Agency staff,Acme Ltd,01/04/2024,31/03/2028,,{},"
    (read, _) = reads_of(tmp_path, "\n".join([HEADINGS, *map(row.format, ("£100k", "£50k per annum")), ""]))
    assert accepted([read])[0].value is None


def test_two_contracts_that_share_a_reference_stay_two(tmp_path: Path) -> None:
    rows = ["C-9,Agency staff,Acme Ltd,01/04/2024,31/03/2028,,,", "C-9,Fire doors,Bolt plc,01/04/2024,31/03/2028,,,"]
    reads = reads_of(tmp_path, "\n".join([HEADINGS, *rows, ""]))
    assert [plan.title for plan in accepted(reads)] == ["Agency staff"]
    assert "give each its own reference" in rejected(reads)[0].reason


def test_a_number_that_became_a_decimal_is_the_same_contract(tmp_path: Path) -> None:
    rows = [
        "456,Agency staff,Acme Ltd,01/04/2024,31/03/2028,,,",
        "456.0,Agency staff,Bolt plc,01/04/2024,31/03/2028,,,",
    ]
    (plan,) = accepted(reads_of(tmp_path, "\n".join([HEADINGS, *rows, ""])))
    assert plan.plan_id == "E06000038:456"
