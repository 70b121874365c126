"""One batch of plan events: steps 1 to 5, each repeatable."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from aiokafka import AIOKafkaProducer

from events.dead_letters import SPOOFING, Reason
from events.topics import DEAD_PLANS
from services.domain.ids import event_content_hash
from services.matcher.assessment import assess, index
from services.matcher.endings import keep_superseded, report_superseded
from services.matcher.plan_decoding import PlanRecordAccepted, read
from services.matcher.world import World
from services.messaging import dead_letter_queue
from services.messaging.kafka import Record, Records
from services.messaging.signature_policy import KeyCache, RecordRejected, verify_all
from services.platform import logs, metrics, tracing
from services.platform.clock import today
from services.store import embeddings, plan_features, plans
from services.store.bulk_writes import BulkWrites
from services.store.database import Sessions, autocommit_session, now, transaction
from services.store.mapping import revision_from_event
from services.store.plans import PlanRevision, RecordOutcome

log: Final = logs.get(__name__)
Vectors = Mapping[str, np.ndarray]
Place = tuple[str, int, int]
"""Topic, partition and offset of a record."""

PARTS: Final = 10
"""In how many parts a full batch is handled: the database matches one while the encoder reads the next."""
EMBEDDED_AHEAD: Final = 2
"""How many parts are cleaned or embedded, or wait for it, while earlier ones are recorded and matched."""
MATCHED_AT_ONCE: Final = 2
"""How many parts are matched side by side: one asks the database while the other judges."""
PREPARED_PARTS: Final = 3
"""What was prepared is kept for so many parts; of a batch that was taken away nobody asks for it."""
CONFLICT: Final = "this revision was published before with other content; publish the change under a higher revision"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record that was read before its batch was handled, and the vectors of new texts that were made with it."""

    item: PlanRecordAccepted | RecordRejected
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Matcher:
    """What the handler works with, made once by the process's composition root."""

    world: World
    sessions: Sessions
    producer: AIOKafkaProducer
    keyring: KeyCache = field(default_factory=KeyCache)
    _prepared: OrderedDict[Place, Prepared] = field(default_factory=OrderedDict)
    _encoder: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def _part(self) -> int:
        return -(-self.world.settings.max_poll_records // PARTS)

    async def prepare(self, records: Records) -> None:
        """Reads the first records of what is to come and embeds their texts, once the batch that is being handled has
        no more for the encoder: it would have nothing to do while that one's end is matched. Writes nothing."""
        some = records[: self._part]
        items = await self._checked(some)
        new = await self._new_texts([item for item in items if isinstance(item, PlanRecordAccepted)])
        async with self._encoder:
            vectors = await self.world.embed(new.values())
        self._prepared.update(
            (_place(record), Prepared(item, vectors)) for record, item in zip(some, items, strict=True)
        )
        while len(self._prepared) > PREPARED_PARTS * self._part:
            self._prepared.popitem(last=False)

    async def handle(self, records: Records) -> None:
        """Takes a batch from bytes to committed opportunities; may run again over the same batch."""
        places = {_place(record) for record in records}
        prepared = {place: self._prepared.pop(place) for place in places & self._prepared.keys()}
        metrics.EVENTS_IN.labels(family="plans").inc(len(records))
        with metrics.HANDLING.labels(process="matcher").time():
            async with AsyncExitStack() as encoder:
                if len(prepared) < len(places):
                    await encoder.enter_async_context(self._encoder)
                await self._in_parts(await self._read(records, prepared), prepared, encoder)

    async def refuse(self, record: Record, fault: BaseException) -> None:
        """Keeps a record whose handling raised what nobody foresaw, so that the ones behind it can go on."""
        await dead_letter_queue.dead_letter_unexpected(self.producer, DEAD_PLANS, record, fault)

    async def _checked(self, records: Records) -> list[PlanRecordAccepted | RecordRejected]:
        demand = self.world.settings.signatures
        # A key's days are real ones, also where plans are judged as of a fixed day.
        return await verify_all(
            [read(record, now()) for record in records], demand, self.keyring, self.sessions, today(None)
        )

    async def _read(self, records: Records, prepared: Mapping[Place, Prepared]) -> list[PlanRecordAccepted]:
        unread = iter(await self._checked([record for record in records if _place(record) not in prepared]))
        accepted = []
        refused = []
        for record in records:
            known = prepared.get(_place(record))
            item = known.item if known is not None else next(unread)
            if isinstance(item, PlanRecordAccepted):
                accepted.append(item)
            else:
                refused.append(item)
        # At once, in their order: one after the other a thousand of them would hold up all others for seconds.
        await asyncio.gather(*(self._keep(item) for item in refused))
        return accepted

    async def _keep(self, item: RecordRejected) -> None:
        """Writes the dead letter of a record that can't be a plan event."""
        await dead_letter_queue.dead_letter(self.producer, DEAD_PLANS, item.record, item.reason, item.sentence)
        if item.reason in SPOOFING:
            metrics.SPOOFING.labels(reason=item.reason.value).inc()

    async def _in_parts(
        self, accepted: Sequence[PlanRecordAccepted], prepared: Mapping[Place, Prepared], encoder: AsyncExitStack
    ) -> None:
        """Each part is recorded before it is assessed, and before any later part is recorded. Meanwhile the next one's
        texts are embedded, and the ones behind it cleaned, so that the encoder never waits for the others; once it has
        the last, `encoder` is closed."""
        parts = [accepted[start : start + self._part] for start in range(0, len(accepted), self._part)]
        in_turn = asyncio.Lock()
        ahead = deque(asyncio.create_task(self._embedded(part, prepared, in_turn)) for part in parts[:EMBEDDED_AHEAD])
        going: deque[asyncio.Task[None]] = deque()
        try:
            for number, part in enumerate(parts, 1):
                vectors = await ahead.popleft()
                for later in parts[number + EMBEDDED_AHEAD - 1 : number + EMBEDDED_AHEAD]:
                    ahead.append(asyncio.create_task(self._embedded(later, prepared, in_turn)))
                if number == len(parts):
                    await encoder.aclose()
                unmatched = await self._take(part, vectors)
                if len(going) == MATCHED_AT_ONCE:
                    await going.popleft()
                if number < len(parts):
                    going.append(asyncio.create_task(self._assess(part, unmatched)))
                else:
                    await self._assess(part, unmatched)
            while going:
                await going.popleft()
        except BaseException:
            await _stop([*ahead, *going])
            raise

    async def _embedded(
        self, part: Sequence[PlanRecordAccepted], prepared: Mapping[Place, Prepared], in_turn: asyncio.Lock
    ) -> Vectors:
        """The vectors of a part's texts that were never embedded; parts come to the encoder in their order."""
        ready = [one for item in part if (one := prepared.get(_place(item.record))) is not None]
        vectors: dict[str, np.ndarray] = {}
        for made in {id(one.vectors): one.vectors for one in ready}.values():
            vectors |= made
        if len(ready) == len(part):
            return vectors
        async with in_turn:
            new = await self._new_texts([item for item in part if _place(item.record) not in prepared])
        return vectors | await self.world.embed(new.values())

    async def _new_texts(self, items: Sequence[PlanRecordAccepted]) -> Mapping[str, str]:
        async with autocommit_session(self.sessions) as session:
            return await self.world.new_texts(session, [item.payload for item in items])

    async def _take(self, part: Sequence[PlanRecordAccepted], vectors: Vectors) -> Sequence[str]:
        """Records a part and brings the index to it; which plans are to be assessed."""
        ids = sorted({item.payload.plan_id for item in part})
        try:
            first = BulkWrites()
            embeddings.put(first, vectors, self.world.embedder.model)
            recording = plans.RevisionBatch([_revision(item) for item in part], first)
            async with transaction(self.sessions, *recording.queries) as session:
                unmatched = plan_features.load_unassessed(ids)
                outcomes = await plans.append_revisions(session, recording, unmatched)
                superseded = await keep_superseded(session, part, outcomes)
                await index(self.world, session, unmatched.result)
        except BaseException:
            self.world.forget(ids)
            raise
        report_superseded(superseded)
        for item, outcome in zip(part, outcomes, strict=True):
            await self._after(item, outcome)
        return sorted(unmatched.result)

    async def _assess(self, part: Sequence[PlanRecordAccepted], plan_ids: Sequence[str]) -> None:
        with tracing.span("match", part[0].event.traceparent, plans=len(plan_ids)):
            await assess(self.world, self.sessions, plan_ids)

    async def _after(self, item: PlanRecordAccepted, outcome: RecordOutcome) -> None:
        log.info("plan event", event_id=item.event.id, plan_id=item.payload.plan_id, outcome=outcome.value)
        if outcome is RecordOutcome.CONFLICT:
            await dead_letter_queue.dead_letter(
                self.producer, DEAD_PLANS, item.record, Reason.REVISION_CONFLICT, CONFLICT
            )
        else:
            metrics.PLAN_OUTCOMES.labels(outcome=outcome.value).inc()


async def _stop(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Ends what goes on beside a batch that failed: it will be handled again as a whole."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _place(record: Record) -> Place:
    return record.topic, record.partition, record.offset


def _revision(item: PlanRecordAccepted) -> PlanRevision:
    record = item.record
    origin = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    if item.signature is not None:
        origin["signed_by"] = item.signature.key_id
    revision = revision_from_event(item.event, origin)
    if item.sent is None:
        return revision
    # Before contacts were taken out, the log kept the hash of the text with them.
    return replace(revision, sent_hash=event_content_hash(item.event.type, item.sent.model_dump(mode="json")))
