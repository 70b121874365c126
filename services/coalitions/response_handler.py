"""Records each response once, with its outcome. Consuming a response twice changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncSession

from events.dead_letters import DeadLetterReason
from events.responses import PlanResponse, ResponsePayload
from events.topics import DEAD_RESPONSES, PAGE_RESPONSES, RESPONSES
from services.coalitions.response_decoding import ResponseRecord, read
from services.coalitions.response_rules import Effect, apply
from services.coalitions.writing import Moment, lock, regroup
from services.domain.audit import MAX_TEXT, Act, AuditAction, Channel
from services.domain.coalition_answers import AnswerRefusedError, RefusalReason, ResponseOutcome
from services.domain.ids import event_content_hash
from services.messaging import dead_letter_queue
from services.messaging.authority_events import accept, dead_letter_with
from services.messaging.kafka import Record
from services.messaging.signature_policy import KeyCache, verify_all
from services.platform import logs, metrics
from services.platform.clock import today
from services.platform.settings import Settings
from services.store import audit_log, responses
from services.store.database import Sessions, now, transaction
from services.store.responses import ResponseRow

CONFLICT: Final = "this response_id was used before with other content; send the answer under a new one"
REASONS: Final = {
    RefusalReason.STALE: DeadLetterReason.STALE_RESPONSE,
    RefusalReason.UNKNOWN_SUBJECT: DeadLetterReason.UNKNOWN_SUBJECT,
}
"""Dead-letter reasons of refused answers; all other refusals have RESPONSE_REFUSED."""

CHANNELS: Final = {RESPONSES.name: Channel.SHARED_TOPIC, PAGE_RESPONSES.name: Channel.BROWSER}
"""The channel of a response by its topic; any other topic is the authority's own."""

log: Final = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class ResponseHandler:
    """The handler's dependencies. The process's composition root creates one instance."""

    sessions: Sessions
    settings: Settings
    producer: AIOKafkaProducer
    keyring: KeyCache = field(default_factory=KeyCache)

    async def handle(self, records: Sequence[Record]) -> None:
        """Handle a batch: dead-letter records that are no responses, record the others in order, in one
        transaction."""
        with metrics.HANDLING.labels(process="coalitions").time():
            # A key's validity is checked against the real date, even when plans are assessed as of a fixed day.
            items = await verify_all(
                [read(record) for record in records],
                self.settings.signatures,
                self.keyring,
                self.sessions,
                today(None),
            )
            accepted = await accept(self.producer, DEAD_RESPONSES, items)
            if accepted:
                async with transaction(self.sessions) as session:
                    await lock(session)
                    acts = [await self._record(session, item) for item in accepted]
                    # Last, because other appends to the audit log wait from here until the commit.
                    await audit_log.append(session, [act for act in acts if act is not None])
        metrics.EVENTS_IN.labels(family="responses").inc(len(records))

    async def refuse(self, record: Record, fault: BaseException) -> None:
        """Dead-letters a record whose handling raised an unexpected error, so that the records behind it can go on."""
        await dead_letter_queue.dead_letter_unexpected(self.producer, DEAD_RESPONSES, record, fault)

    async def _record(self, session: AsyncSession, item: ResponseRecord) -> Act | None:
        """Record a response and its effect; return its audit entry, or None if the response is known."""
        payload = item.payload
        content = event_content_hash(item.event.type, payload.model_dump(mode="json"))
        known = await responses.load(session, payload.speaker, payload.response_id)
        if known is not None:
            if known.content_hash != content:
                dead_letter_with(session, DEAD_RESPONSES, item, DeadLetterReason.RESPONSE_CONFLICT, CONFLICT)
            return None
        day = today(self.settings.as_of)
        effect, refused = Effect(), None
        try:
            async with session.begin_nested():
                effect = await apply(session, payload, Moment(day, item.event.id, payload.authority))
        except AnswerRefusedError as error:
            refused = error
            reason = REASONS.get(error.reason, DeadLetterReason.RESPONSE_REFUSED)
            dead_letter_with(session, DEAD_RESPONSES, item, reason, str(error))
        outcome = ResponseOutcome.REFUSED if refused else ResponseOutcome.RECORDED
        session.add(
            ResponseRow(
                speaker=payload.speaker,
                response_id=payload.response_id,
                authority=payload.authority,
                plan_id=_plan_id(payload),
                subject=payload.subject,
                subject_id=payload.subject_id,
                kind=response_kind(item),
                payload=payload.model_dump(mode="json"),
                content_hash=content,
                outcome=outcome,
                detail=str(refused) if refused else None,
                change=effect.change,
                about=list(effect.about) or None,
                asked=list(effect.asked) if effect.reply_by else None,
                reply_by=effect.reply_by,
                received_on=day,
                received_at=now(),
            )
        )
        await session.flush()
        metrics.RESPONSES_HANDLED.labels(kind=response_kind(item), outcome=outcome).inc()
        log.info(
            "response", event_id=item.event.id, kind=response_kind(item), refused=str(refused) if refused else None
        )
        if effect.plan_ids:
            # Without an actor: what else changes around these plans was nobody's act, and its authority is told, too.
            await regroup(session, effect.plan_ids, Moment(day, item.event.id))
        return _act(item, content, refused)


def _plan_id(payload: ResponsePayload) -> str | None:
    return payload.plan_id if isinstance(payload, PlanResponse) else None


def response_kind(item: ResponseRecord) -> str:
    """The kind of a response as one word: the answer, the act, or the type."""
    payload = item.payload
    return str(getattr(payload, "answer", None) or getattr(payload, "act", None) or payload.type.split(".")[2])


def _act(item: ResponseRecord, content: str, refused: AnswerRefusedError | None) -> Act:
    """Build the audit entry. Responses of every channel pass here, authenticated by the signing key or the topic.

    `content_hash` binds the entry to the response, whose texts it does not hold.
    """
    payload, key_id = item.payload, item.signature.key_id if item.signature else None
    return Act(
        action=AuditAction.RESPONSE_REFUSED if refused else AuditAction.RESPONSE_RECORDED,
        authority=payload.authority,
        subject=f"{payload.subject}:{payload.subject_id}",
        channel=CHANNELS.get(item.record.topic, Channel.OWN_TOPIC),
        actor=f"key:{key_id}" if key_id else None,
        details={
            "response_id": payload.response_id,
            "kind": response_kind(item),
            "plan_id": _plan_id(payload),
            "acting_party": payload.acting_party if isinstance(payload, PlanResponse) else None,
            "subject_revision": payload.subject_revision,
            "event_id": item.event.id[:MAX_TEXT],
            "content_hash": content,
            "reason": refused.reason.value if refused else None,
        },
    )
