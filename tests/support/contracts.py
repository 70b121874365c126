"""Contracts for tests: events, records, and a harness around the handler on a real database."""

from datetime import date
from itertools import count
from types import SimpleNamespace
from typing import Any

from sqlalchemy import text

from events.contracts import ContractPayload, ContractPublished, ContractWithdrawn
from events.topics import CONTRACTS
from services.application.contracts import CONTRACT_EVENTS
from services.coalitions.contract_handler import ContractHandler
from services.platform.settings import Settings
from services.store.database import Sessions
from tests.support.coalitions import LEEDS

_NUMBERS = count(1)


def contract(authority: str = LEEDS, revision: int = 1, reference: str = "C-1", **changes: Any) -> ContractPublished:
    """An HR and payroll contract whose prices are open to signatories since July 2026."""
    values: dict[str, Any] = {
        "contract_id": f"{authority}:{reference}",
        "revision": revision,
        "authority": authority,
        "title": "HR and payroll system",
        "supplier": "Northmoor Software Ltd",
        "product": "Northmoor People",
        "cpv": ["48450000"],
        "start": "2022-04-01",
        "end": "2027-03-31",
        "prices": [{"item": "licence", "unit": "user-year", "quantity": 2000, "unit_price": 17.4}],
        "sharing": {"signatories": "2026-07-01"},
    }
    return ContractPublished.model_validate({**values, **changes})


def withdrawal(authority: str = LEEDS, revision: int = 2, reference: str = "C-1") -> ContractWithdrawn:
    """The authority shares nothing of the contract any more."""
    return ContractWithdrawn(contract_id=f"{authority}:{reference}", revision=revision, authority=authority)


def contract_record(payload: ContractPayload, topic: str = CONTRACTS.name) -> Any:
    """A contract event as the handler gets it from the consumer."""
    message = CONTRACT_EVENTS.message(payload)
    place = {"topic": topic, "partition": 0, "offset": next(_NUMBERS)}
    return SimpleNamespace(**place, key=message.key, headers=message.headers, value=message.value)


class ContractsHarness:
    """The handler of contract events on a real database, without Kafka."""

    def __init__(self, sessions: Sessions, as_of: date) -> None:
        self.sessions = sessions
        self.settings = Settings(as_of=as_of)
        self.handler = ContractHandler(sessions, self.settings, producer=None)  # type: ignore[arg-type]

    async def handle(self, *payloads: ContractPayload) -> None:
        """Has the events handled in one batch."""
        await self.handler.handle([contract_record(payload) for payload in payloads])

    async def rows(self, statement: str) -> list[Any]:
        """Rows of a query."""
        async with self.sessions() as session:
            return list(await session.execute(text(statement)))
