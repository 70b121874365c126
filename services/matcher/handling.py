"""One batch of plan events: steps 1 to 5, each repeatable."""

import asyncio
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaProducer

from events.dead_letters import SPOOFING, Reason
from events.topics import DEAD_PLANS
from services.matcher.intake import Accepted, read
from services.matcher.matching import match
from services.matcher.signatures import Keyring, check
from services.matcher.world import World
from services.runtime import dead_letters, logs, metrics, tracing
from services.runtime.kafka import Record, Records
from services.store import embeddings, plans
from services.store.base import Sessions, transaction
from services.store.plans import Outcome, Revision
from services.translation import revision_from_event, today

log: Final = logs.get(__name__)

PARTS: Final = 5
"""In how many parts a full batch is handled: the database matches one while the encoder reads the next."""
MATCHED_AT_ONCE: Final = 2
"""How many parts are matched side by side: one asks the database while the other judges."""
CONFLICT: Final = "this revision was published before with other content; publish the change under a higher revision"


@dataclass(frozen=True, slots=True)
class Matcher:
    """What the handler works with, made once by the process's composition root."""

    world: World
    sessions: Sessions
    producer: AIOKafkaProducer
    keyring: Keyring = field(default_factory=Keyring)

    async def handle(self, records: Records) -> None:
        """Takes a batch from bytes to committed opportunities; may run again over the same batch."""
        metrics.EVENTS_IN.labels(family="plans").inc(len(records))
        with metrics.HANDLING.labels(process="matcher").time():
            accepted = await self._read(records)
            await self._in_parts(accepted, -(-self.world.settings.batch_records // PARTS))

    async def refuse(self, record: Record, fault: BaseException) -> None:
        """Keeps a record whose handling raised what nobody foresaw, so that the ones behind it can go on."""
        await dead_letters.give_up(self.producer, DEAD_PLANS, record, fault)

    async def _read(self, records: Records) -> list[Accepted]:
        demand = self.world.settings.signatures
        # A key's days are real ones, also where plans are judged as of a fixed day.
        items = await check([read(record) for record in records], demand, self.keyring, self.sessions, today(None))
        accepted = []
        for item in items:
            if isinstance(item, Accepted):
                accepted.append(item)
                continue
            await dead_letters.refuse(self.producer, DEAD_PLANS, item.record, item.reason, item.sentence)
            if item.reason in SPOOFING:
                metrics.SPOOFING.labels(reason=item.reason.value).inc()
        return accepted

    async def _in_parts(self, accepted: Sequence[Accepted], size: int) -> None:
        """Each part is recorded before it is matched, and before any later part is recorded."""
        behind: deque[asyncio.Task[None]] = deque()
        try:
            for start in range(0, len(accepted), size):
                part = accepted[start : start + size]
                await self._take(part)
                if len(behind) == MATCHED_AT_ONCE:
                    await behind.popleft()
                if start + size < len(accepted):
                    behind.append(asyncio.create_task(self._match(part)))
                else:
                    await self._match(part)
            while behind:
                await behind.popleft()
        except BaseException:
            await _stop(behind)
            raise

    async def _take(self, part: Sequence[Accepted]) -> None:
        for item, outcome in zip(part, await self._record(part), strict=True):
            await self._after(item, outcome)

    async def _match(self, part: Sequence[Accepted]) -> None:
        ids = sorted({item.payload.plan_id for item in part})
        async with transaction(self.sessions) as session:
            unmatched = await plans.unmatched_of(session, ids)
        with tracing.span("match", part[0].event.traceparent, plans=len(unmatched)):
            await match(self.world, self.sessions, unmatched)

    async def _record(self, accepted: Sequence[Accepted]) -> list[Outcome]:
        model = self.world.embedder.model
        async with transaction(self.sessions) as session:
            new = await self.world.new_texts(session, [item.payload for item in accepted])
        vectors = await self.world.embed(new.values())
        async with transaction(self.sessions) as session:
            await embeddings.add_embeddings(session, vectors, model)
            return await plans.record(session, [_revision(item) for item in accepted])

    async def _after(self, item: Accepted, outcome: Outcome) -> None:
        log.info("plan event", event_id=item.event.id, plan_id=item.payload.plan_id, outcome=outcome.value)
        if outcome is Outcome.CONFLICT:
            await dead_letters.refuse(self.producer, DEAD_PLANS, item.record, Reason.REVISION_CONFLICT, CONFLICT)
        else:
            metrics.PLAN_OUTCOMES.labels(outcome=outcome.value).inc()


async def _stop(tasks: Collection[asyncio.Task[None]]) -> None:
    """Ends what goes on beside a batch that failed: it will be handled again as a whole."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _revision(item: Accepted) -> Revision:
    record = item.record
    origin = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    if item.signature is not None:
        origin["signed_by"] = item.signature.key_id
    return revision_from_event(item.event, origin)
