"""Events in which an authority speaks: from a Kafka record to the decoded event, or to the reason why it is refused."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, Self, TypeVar, cast

from aiokafka import AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncSession

from events.cloudevents import EnvelopeError, Event, decode
from events.dead_letters import SPOOFING, DeadLetterReason
from events.fields import Payload
from events.signing import Signature
from events.topics import NotAnAuthorityTopicError, Topic, authority_of
from services.messaging import dead_letter_queue
from services.messaging.kafka import Record
from services.messaging.signature_policy import RejectedRecord
from services.platform import metrics
from services.store import outbox


class AuthorityPayload(Protocol):
    """A payload that names the authority that speaks."""

    @property
    def authority(self) -> str: ...


P = TypeVar("P", bound=AuthorityPayload)
A = TypeVar("A", bound="AuthorityRecord[Any]")


@dataclass(frozen=True, slots=True)
class AuthorityRecord(Generic[P]):
    """A record that holds an authority's event, and the event's signature if the consumer looked for one."""

    record: Record
    event: Event
    signature: Signature | None = None

    @property
    def payload(self) -> P:
        """The event's payload."""
        return cast(P, self.event.payload)

    @property
    def authority(self) -> str:
        """The sender: the authority, or the party that acts for it."""
        return _speaker(self.payload)

    def with_signature(self, signature: Signature | None) -> Self:
        """The same event with its signature."""
        return replace(self, signature=signature)


def read_event(
    record: Record, payloads: Sequence[type[Payload]], family: Topic, refusal: str
) -> Event | RejectedRecord:
    """Decode and validate one record, and compare its authority with the topic it came by.

    `refusal` is the sentence where an authority's own topic holds another's event; it names {owner} and {authority}.
    """
    try:
        event = decode(record.headers, record.value, payloads)
        owner = authority_of(record.topic, family)
    except EnvelopeError as error:
        return RejectedRecord(record, error.reason, str(error))
    except NotAnAuthorityTopicError as error:
        return RejectedRecord(record, DeadLetterReason.TOPIC_MISMATCH, str(error))
    authority = _speaker(cast(Any, event.payload))
    if owner is not None and authority != owner:
        return RejectedRecord(record, DeadLetterReason.TOPIC_MISMATCH, refusal.format(owner=owner, authority=authority))
    return event


def _speaker(payload: AuthorityPayload) -> str:
    return cast(str, getattr(payload, "speaker", payload.authority))


async def dead_letter_rejected(producer: AIOKafkaProducer, topic: Topic, item: RejectedRecord) -> None:
    """Send a refused record to the dead-letter topic, and count the attempt to speak for another."""
    await dead_letter_queue.dead_letter(producer, topic, item.record, item.reason, item.sentence)
    if item.reason in SPOOFING:
        metrics.SPOOFING.labels(reason=item.reason.value).inc()


async def accept(producer: AIOKafkaProducer, topic: Topic, items: Sequence[A | RejectedRecord]) -> list[A]:
    """Send the refused records to the dead-letter topic; return the others, in order."""
    # Concurrently, in order: a thousand dead letters in sequence would delay the whole batch by seconds. One in each
    # turn of the loop: each has its value parsed, and heartbeats must get their turn in between.
    sending = []
    for item in items:
        if isinstance(item, RejectedRecord):
            sending.append(asyncio.create_task(dead_letter_rejected(producer, topic, item)))
            await asyncio.sleep(0)
    await asyncio.gather(*sending)
    return [item for item in items if not isinstance(item, RejectedRecord)]


def dead_letter_with(
    session: AsyncSession, topic: Topic, item: AuthorityRecord[Any], reason: DeadLetterReason, sentence: str
) -> None:
    """Put a dead letter into the outbox, in the transaction that records the event: a copy that comes later makes no
    second one."""
    message = dead_letter_queue.from_record(item.record, reason, sentence)
    session.add(outbox.to_outbox_row(topic.name, item.event.id, message))
    metrics.DEAD_LETTERS.labels(family=topic.name.split(".")[1], reason=reason.value).inc()
