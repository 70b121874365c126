"""Contracts that authorities share, as events."""

from typing import Final
from uuid import UUID

from events.contracts import ContractPayload
from events.topics import CONTRACTS
from services.application.authority_events import AuthorityEvents

CONTRACT_EVENTS: Final[AuthorityEvents[ContractPayload]] = AuthorityEvents(
    CONTRACTS,
    "contracts",
    UUID("a0f5ad6e-2f0b-5f5c-9d0e-6b8d6f3f1c52"),
    lambda payload: payload.contract_id,
)
