"""Contracts out of JSONL files: each line an event, or a sentence that says why not."""

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from events.contracts import ContractPublished, ContractWithdrawn
from services.ingest.contracts import (
    ContractEntry,
    day_of,
    read_contracts,
    read_notice_contracts,
    read_register_contracts,
)
from services.ingest.entries import Options, RejectedEntry, SkippedEntry
from services.ingest.register.column_mapping import BUILT_IN
from tests.support.contracts import contract
from tests.unit.ingest.notices import NOTICE, notice

EXAMPLES = Path(__file__).parents[3] / "docs/examples/contracts.jsonl"


def fields(**changes: Any) -> dict[str, Any]:
    return {**contract().model_dump(mode="json"), **changes}


def read(tmp_path: Path, *lines: dict[str, Any] | str, authority: str | None = None) -> list[Any]:
    file = tmp_path / "contracts.jsonl"
    file.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), "utf-8")
    os.utime(file, (1_800_000_000, 1_800_000_000))
    return list(read_contracts(file, authority))


def test_the_examples_of_the_docs_are_contracts() -> None:
    entries = list(read_contracts(EXAMPLES))
    assert len(entries) == 2
    assert all(isinstance(entry, ContractEntry) for entry in entries)


def test_a_line_says_by_its_type_what_it_is(tmp_path: Path) -> None:
    gone = {"type": "withdrawn", "contract_id": "E08000035:C-1", "authority": "E08000035", "revision": 7}
    first, second = read(tmp_path, fields(), gone)
    assert (type(first.payload), type(second.payload)) == (ContractPublished, ContractWithdrawn)


def test_a_line_without_revision_gets_the_time_of_the_file(tmp_path: Path) -> None:
    without = {name: value for name, value in fields().items() if name != "revision"}
    (entry,) = read(tmp_path, without)
    assert entry.payload.revision == 1_800_000_000_000


@pytest.mark.parametrize(
    ("line", "field", "reason"),
    [
        ("[1]", "", "not an object"),
        ("{", "", "not JSON"),
        (fields(type="awarded"), "type", "neither published nor withdrawn"),
        (fields(supplier=""), "supplier", "is empty"),
        (fields(withheld="s94"), "", "shared or withheld, not both"),
        (fields(contract_id="E08000032:C-1"), "", "must start with the event's authority"),
        (fields(first_end="2027-04-01"), "", "must follow each other"),
        (fields(sharing={"coalition": "2027-01-01", "public": "2026-01-01"}), "sharing", "a wider tier"),
        (fields(prices=[{"item": "x", "unit": "User year", "quantity": 1, "unit_price": 1}]), "prices.0.unit", "match"),
        (
            fields(performance=[{"period": contract().model_dump(mode="json"), "indicator": "x", "rating": "superb"}]),
            "performance.0.period.earliest",
            "rating",
        ),
        (fields(specification="file:///etc/passwd"), "specification", "match pattern"),
    ],
)
def test_what_is_no_contract_is_rejected_with_its_place(
    tmp_path: Path, line: dict[str, Any] | str, field: str, reason: str
) -> None:
    (entry,) = read(tmp_path, line)
    assert isinstance(entry, RejectedEntry)
    assert (entry.where, entry.field) == ("line 1", field)
    assert reason in entry.reason


def test_the_contract_of_another_authority_is_rejected(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, fields(), authority="E08000032")
    assert isinstance(entry, RejectedEntry)
    assert "publish it as its owner" in entry.reason


def test_a_file_that_can_not_be_read_says_so(tmp_path: Path) -> None:
    (entry,) = read_contracts(tmp_path / "nothing.jsonl")
    assert isinstance(entry, RejectedEntry)
    assert "can't be read" in entry.reason


REGISTER = """Reference,Title,Supplier,Start Date,End Date,Annual value
C-1,HR system,Northmoor Software Ltd,01/04/2022,31/03/2028,100000
C-2,Payroll bureau,,01/04/2022,31/03/2028,50000
C-3,Fleet system,Fellgate Systems plc,01/04/2022,not a day,50000
"""


def test_a_register_gives_contracts_and_says_what_it_can_not(tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_text(REGISTER, "utf-8")
    os.utime(file, (1_800_000_000, 1_800_000_000))
    options = Options("E08000035", as_of=date(2026, 11, 26))
    first, second, third = read_register_contracts(file, options, BUILT_IN, {"public": day_of(file)})
    assert isinstance(first, ContractEntry)
    payload = first.payload
    assert isinstance(payload, ContractPublished)
    assert (payload.contract_id, payload.supplier, payload.end) == (
        "E08000035:C-1",
        "Northmoor Software Ltd",
        date(2028, 3, 31),
    )
    assert payload.revision == 1_800_000_000_000
    assert payload.sharing.public == date(2027, 1, 15)
    assert (type(second), type(third)) == (SkippedEntry, RejectedEntry)


def test_only_notices_of_an_award_give_a_contract(tmp_path: Path) -> None:
    award = {
        "id": "1",
        "status": "active",
        "suppliers": [{"id": "GB-COH-1", "name": "Northmoor Software Ltd"}],
        "value": {"amount": 480_000, "currency": "GBP"},
        "contractPeriod": {
            "startDate": "2027-04-01T00:00:00Z",
            "endDate": "2031-03-31T23:59:59Z",
            "maxExtentDate": "2033-03-31T23:59:59Z",
        },
    }
    awarded = notice({"status": "complete"}, id="2", date="2027-03-30T09:00:00Z", tag=["award"], awards=[award])
    nameless = notice(
        {"status": "complete"}, ocid="ocds-x-2", id="3", tag=["award"], awards=[{"id": "1", "status": "active"}]
    )
    file = tmp_path / "notices.json"
    file.write_text(json.dumps({"releases": [NOTICE, awarded, nameless]}), "utf-8")
    planned, entry, without = read_notice_contracts(file, Options())
    assert (type(planned), type(without)) == (SkippedEntry, SkippedEntry)
    assert isinstance(entry, ContractEntry)
    payload = entry.payload
    assert isinstance(payload, ContractPublished)
    assert payload.contract_id.endswith(":ocds-x-1")
    assert (payload.supplier, payload.start, payload.end) == (
        "Northmoor Software Ltd",
        date(2027, 4, 1),
        date(2031, 3, 31),
    )
    assert (payload.extension_months, payload.annual_value and payload.annual_value.amount) == (24, 120_000)
    assert payload.sharing.public == date(2027, 3, 30)
    assert not any(isinstance(one, ContractEntry) for one in read_notice_contracts(file, Options("E08000035")))
