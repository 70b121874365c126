"""Records contract events: the newest revision of each contract wins. Consuming an event twice changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncSession

from events.contracts import ContractPublished
from events.dead_letters import DeadLetterReason
from events.topics import DEAD_CONTRACTS
from services.coalitions.contract_decoding import ContractRecord, read
from services.domain.ids import event_content_hash
from services.messaging import dead_letter_queue
from services.messaging.authority_events import accept, dead_letter_with
from services.messaging.kafka import Record
from services.messaging.signature_policy import KeyCache, verify_all
from services.platform import logs, metrics
from services.platform.clock import today
from services.platform.settings import Settings
from services.store import contracts
from services.store.contracts import ContractRow, ContractStatus
from services.store.database import Sessions, now, transaction
from services.store.plan_log import RecordOutcome

CONFLICT: Final = "this revision of the contract was sent before with other content; send it under the next revision"
SUPERSEDED: Final = (
    "the withdrawal has revision {sent}, the contract stands at {stands} and is still shared; publish it under a "
    "higher one"
)

log: Final = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class ContractHandler:
    """The handler's dependencies. The process's composition root creates one instance."""

    sessions: Sessions
    settings: Settings
    producer: AIOKafkaProducer
    keyring: KeyCache = field(default_factory=KeyCache)

    async def handle(self, records: Sequence[Record]) -> None:
        """Handle a batch: dead-letter records that are no contract events, record the others in one transaction."""
        with metrics.HANDLING.labels(process="coalitions").time():
            at = now()
            items = await verify_all(
                [read(record, at) for record in records],
                self.settings.signatures,
                self.keyring,
                self.sessions,
                # A key's validity is checked against the real date, even when plans are assessed as of a fixed day.
                today(None),
            )
            accepted = await accept(self.producer, DEAD_CONTRACTS, items)
            if accepted:
                async with transaction(self.sessions) as session:
                    # One fixed order: two processes with the same contracts must not deadlock.
                    for item in sorted(accepted, key=lambda one: one.payload.contract_id):
                        await _record(session, item)
        metrics.EVENTS_IN.labels(family="contracts").inc(len(records))

    async def refuse(self, record: Record, fault: BaseException) -> None:
        """Dead-letters a record whose handling raised an unexpected error, so that the records behind it can go on."""
        await dead_letter_queue.dead_letter_unexpected(self.producer, DEAD_CONTRACTS, record, fault)


async def _record(session: AsyncSession, item: ContractRecord) -> None:
    payload = item.payload
    content = payload.model_dump(mode="json")
    shared = isinstance(payload, ContractPublished)
    outcome = await contracts.record(
        session,
        ContractRow(
            contract_id=payload.contract_id,
            authority=payload.authority,
            revision=payload.revision,
            status=(ContractStatus.PUBLISHED if shared else ContractStatus.WITHDRAWN).value,
            payload=content if shared else None,
            content_hash=event_content_hash(item.event.type, content),
            event_id=item.event.id,
            received_at=now(),
        ),
    )
    log.info("contract", contract_id=payload.contract_id, revision=payload.revision, outcome=outcome.value)
    if outcome is RecordOutcome.CONFLICT:
        dead_letter_with(session, DEAD_CONTRACTS, item, DeadLetterReason.REVISION_CONFLICT, CONFLICT)
    if outcome is RecordOutcome.SUPERSEDED and not shared:
        await _keep_superseded(session, item)


async def _keep_superseded(session: AsyncSession, item: ContractRecord) -> None:
    """Write a dead letter for a withdrawal that comes too late while others still see the contract."""
    row = await session.get(ContractRow, item.payload.contract_id, populate_existing=True)
    if row is not None and row.status == ContractStatus.PUBLISHED:
        sentence = SUPERSEDED.format(sent=item.payload.revision, stands=row.revision)
        dead_letter_with(session, DEAD_CONTRACTS, item, DeadLetterReason.SUPERSEDED_WITHDRAWAL, sentence)
