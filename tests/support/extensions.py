"""Leeds extends its contract and asks for a benchmark."""

import json
from datetime import date
from typing import Any

from events.responses import ResponseDecided
from events.topics import BENCHMARKS
from tests.support.coalitions import LEEDS, CoalitionsHarness, plan, response_fields

DUE = date(2026, 12, 10)
AFTER = date(2026, 12, 11)


def extension(months: int = 13, revision: int = 1, end: str = "2027-03-31", **changes: Any) -> Any:
    """Leeds means to extend the contract that ends on a day by so many months."""
    values = {
        "kind": "extension",
        "extension": {"months": months},
        "current_contract": {"reference": "C-1", "supplier": "Northmoor Software Ltd", "end": end},
    }
    return plan(LEEDS, revision, **{**values, **changes})


async def requests(harness: CoalitionsHarness) -> list[tuple[str, int, str | None, str | None]]:
    """Status, months, decision and plan of every benchmark event, oldest first."""
    rows = await harness.rows(f"SELECT value FROM outbox WHERE topic = '{BENCHMARKS.name}' ORDER BY id")
    states = [json.loads(bytes(row.value)) for row in rows]
    headers = await harness.rows(f"SELECT headers FROM outbox WHERE topic = '{BENCHMARKS.name}' ORDER BY id")
    kinds = [dict(row.headers)["ce_type"].split(".")[2] for row in headers]
    return [(kind, one["months"], one["decision"], one["plan_id"]) for kind, one in zip(kinds, states, strict=True)]


async def decision(harness: CoalitionsHarness, authority: str = LEEDS, said: str = "extend") -> None:
    """An authority decides about the only request."""
    ((request_id, revision),) = await harness.rows("SELECT request_id, revision FROM benchmark_requests")
    values = response_fields(authority, request_id, revision, next(harness.numbers))
    await harness.respond(ResponseDecided.model_validate({**values, "subject": "benchmark", "decision": said}))
