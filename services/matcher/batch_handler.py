"""The way of one batch of plan events through the matcher. Every part of it may be repeated."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from aiokafka import AIOKafkaProducer

from events.dead_letters import DeadLetterReason
from events.topics import DEAD_PLANS
from services.domain.ids import event_content_hash
from services.matcher.assessment import assess, index
from services.matcher.context import MatcherContext
from services.matcher.endings import keep_superseded, report_superseded
from services.matcher.plan_decoding import PlanRecordAccepted, read
from services.messaging import dead_letter_queue
from services.messaging.authority_events import accept
from services.messaging.kafka import Record, Records
from services.messaging.signature_policy import KeyCache, RejectedRecord, verify_all
from services.platform import logs, metrics, tracing
from services.platform.clock import today
from services.store import embeddings, plan_features, plan_log
from services.store.bulk_writes import BulkWrites
from services.store.database import Sessions, autocommit_session, now, transaction
from services.store.mapping import revision_from_event
from services.store.plan_log import PlanRevision, RecordOutcome

log: Final = logs.get(__name__)
Vectors = Mapping[str, np.ndarray]
Place = tuple[str, int, int]
"""Topic, partition and offset of a record."""

MAX_PREPARED_BATCHES: Final = 3
"""The matcher drops a prepared batch after this many newer ones: its partition has gone to another matcher."""
CONFLICT: Final = "this revision was published before with other content; publish the change under a higher revision"


@dataclass(frozen=True, slots=True)
class PreparedRecord:
    """A decoded record, and the vectors of all new texts of its batch."""

    item: PlanRecordAccepted | RejectedRecord
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Matcher:
    """The two stages of the plan pipeline. The process's composition root creates one instance.

    `prepare` decodes a batch and embeds its new texts; it writes nothing. `handle` records the batch, then assesses its
    plans. The consumer prepares the next batch while it handles the current one, so the encoder works while the
    database does.
    """

    context: MatcherContext
    sessions: Sessions
    producer: AIOKafkaProducer
    keyring: KeyCache = field(default_factory=KeyCache)
    _prepared: OrderedDict[Place, PreparedRecord] = field(default_factory=OrderedDict)

    async def prepare(self, records: Records) -> None:
        """Decode the records of the next batch and embed their new texts. The result may never be used."""
        self._prepared.update(zip(map(_place, records), await self._prepare(records), strict=True))
        while len(self._prepared) > MAX_PREPARED_BATCHES * self.context.settings.max_poll_records:
            self._prepared.popitem(last=False)

    async def handle(self, records: Records) -> None:
        """Take a batch from bytes to committed opportunities. It may run again over the same batch."""
        metrics.EVENTS_IN.labels(family="plans").inc(len(records))
        with metrics.HANDLING.labels(process="matcher").time():
            prepared = await self._take_prepared(records)
            accepted = await accept(self.producer, DEAD_PLANS, [one.item for one in prepared])
            if accepted:
                vectors = {key: vector for one in prepared for key, vector in one.vectors.items()}
                plan_ids = await self._record(accepted, vectors)
                await self._assess(accepted, plan_ids)

    async def refuse(self, record: Record, fault: BaseException) -> None:
        """Dead-letters a record whose handling raised an unexpected error, so that the records behind it can go on."""
        await dead_letter_queue.dead_letter_unexpected(self.producer, DEAD_PLANS, record, fault)

    async def _take_prepared(self, records: Records) -> list[PreparedRecord]:
        """Return the prepared records in order. Prepare those of a retried batch or a failed preparation now."""
        known = [self._prepared.pop(_place(record), None) for record in records]
        missing = [record for record, one in zip(records, known, strict=True) if one is None]
        late = iter(await self._prepare(missing))
        return [one or next(late) for one in known]

    async def _prepare(self, records: Records) -> list[PreparedRecord]:
        if not records:
            return []
        items = await self._decode(records)
        async with autocommit_session(self.sessions) as session:
            texts = await self.context.features.texts_to_embed(
                session, [item.payload for item in items if isinstance(item, PlanRecordAccepted)]
            )
        vectors = await self.context.features.embed(texts.values())
        return [PreparedRecord(item, vectors) for item in items]

    async def _decode(self, records: Records) -> list[PlanRecordAccepted | RejectedRecord]:
        demand = self.context.settings.signatures
        # A key's validity is checked against the real date, even when plans are assessed as of a fixed day.
        return await verify_all(
            [read(record, now()) for record in records], demand, self.keyring, self.sessions, today(None)
        )

    async def _record(self, accepted: Sequence[PlanRecordAccepted], vectors: Vectors) -> Sequence[str]:
        """Record a batch and update the index, in one transaction; return the ids of the plans to assess."""
        ids = sorted({item.payload.plan_id for item in accepted})
        try:
            first = BulkWrites()
            embeddings.put(first, vectors, self.context.embedder.model)
            recording = plan_log.RevisionBatch([_revision(item) for item in accepted], first)
            async with transaction(self.sessions, *recording.queries) as session:
                unmatched = plan_features.load_unassessed(ids)
                outcomes = await plan_log.append_revisions(session, recording, unmatched)
                superseded = await keep_superseded(session, accepted, outcomes)
                await index(self.context, session, unmatched.result)
        except BaseException:
            self.context.features.invalidate(ids)
            raise
        report_superseded(superseded)
        for item, outcome in zip(accepted, outcomes, strict=True):
            await self._after(item, outcome)
        return sorted(unmatched.result)

    async def _assess(self, accepted: Sequence[PlanRecordAccepted], plan_ids: Sequence[str]) -> None:
        with tracing.span("match", accepted[0].event.traceparent, plans=len(plan_ids)):
            await assess(self.context, self.sessions, plan_ids)

    async def _after(self, item: PlanRecordAccepted, outcome: RecordOutcome) -> None:
        log.info("plan event", event_id=item.event.id, plan_id=item.payload.plan_id, outcome=outcome.value)
        if outcome is RecordOutcome.CONFLICT:
            await dead_letter_queue.dead_letter(
                self.producer, DEAD_PLANS, item.record, DeadLetterReason.REVISION_CONFLICT, CONFLICT
            )
        else:
            metrics.PLAN_OUTCOMES.labels(outcome=outcome.value).inc()


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
    # Earlier versions logged the hash of the text before contact details were removed. It still has to match.
    return replace(revision, sent_hash=event_content_hash(item.event.type, item.sent.model_dump(mode="json")))
