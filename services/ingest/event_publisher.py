"""Publishes plan events to Kafka: keyed by plan, acknowledged by all in-sync replicas, with deterministic ids."""

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid5

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from events.cloudevents import Event, Message, encode
from events.jwk import SigningKey
from events.plans import PlanPayload
from events.signing import SignatureError, sign
from events.topics import PLANS, authority_topic
from services.messaging.kafka import make_producer, send
from services.platform.clock import now
from services.platform.settings import Settings

IN_FLIGHT: Final = 500
"""The maximum number of events that await their acknowledgement."""

TOPIC_TRIES: Final = 8
"""The number of lookups of a topic, one every half second, before it counts as missing."""

_NAMESPACE: Final = UUID("6e1d3a52-6f0c-5d7b-9a53-0d6c2f5b7a10")


class PublishingError(Exception):
    """Kafka did not accept an event: a sentence for the user, and the number accepted before."""

    def __init__(self, sentence: str, published: int) -> None:
        super().__init__(sentence)
        self.published = published


@dataclass(frozen=True, slots=True)
class Summary:
    """The number of events published, and their topics."""

    published: int
    topics: tuple[str, ...]


def publication_hash(payload: PlanPayload) -> str:
    """Hash the event's type and full content with sha256."""
    return hashlib.sha256(f"{payload.type}\n{payload.model_dump_json()}".encode()).hexdigest()


def plan_event(payload: PlanPayload, time: datetime | None = None) -> Event:
    """Build the CloudEvent of a payload. Its id depends only on plan, revision, type and content, so consumers
    recognise a repeated event."""
    name = json.dumps([payload.plan_id, payload.revision, payload.type, publication_hash(payload)])
    return Event(
        id=str(uuid5(_NAMESPACE, name)),
        type=payload.type,
        source=f"/authorities/{payload.authority}/plans",
        time=time or now(),
        subject=payload.plan_id,
        payload=payload,
    )


def structured(payload: PlanPayload) -> str:
    """Encode the event as one line of structured CloudEvents JSON. It has no time, so the output is deterministic."""
    event = plan_event(payload)
    return json.dumps(
        {
            "specversion": "1.0",
            "id": event.id,
            "type": event.type,
            "source": event.source,
            "subject": event.subject,
            "datacontenttype": "application/json",
            "data": payload.model_dump(mode="json"),
        },
        ensure_ascii=False,
    )


def shared_topic(_: PlanPayload) -> str:
    """Return the topic that all authorities share."""
    return PLANS.name


def own_topic(payload: PlanPayload) -> str:
    """Return the private topic of the plan's authority."""
    return authority_topic(payload.authority)


def message_of(payload: PlanPayload, key: SigningKey | None = None) -> Message:
    """Build the Kafka message of a payload, signed if there is a key. Raises SignatureError if the key is another
    authority's."""
    event = plan_event(payload)
    message = encode(event, payload.plan_id)
    if key is None:
        return message
    if key.public.authority not in (None, payload.authority):
        raise SignatureError(
            f"{payload.plan_id} can't be signed: the key was made for {key.public.authority}, and the matcher would "
            "refuse it"
        )
    return sign(event, message, key)


async def publish_events(
    settings: Settings,
    payloads: Iterable[PlanPayload],
    *,
    topic: Callable[[PlanPayload], str] = shared_topic,
    progress: Callable[[PlanPayload], None] | None = None,
    key: SigningKey | None = None,
) -> Summary:
    """Publish the payloads in order, and return when Kafka has acknowledged all of them.

    `topic` chooses each payload's topic; `progress` is called for each acknowledged event; `key` signs each. Raises
    PublishingError if Kafka can't be reached or refuses an event, or if the key is another authority's; it is then safe
    to publish all of them again.
    """
    waiting: deque[tuple[PlanPayload, str, Awaitable[Any]]] = deque()
    done = 0
    topics: dict[str, None] = {}
    checked: set[str] = set()
    current = PLANS.name

    async def acknowledged() -> None:
        nonlocal done, current
        payload, current, receipt = waiting.popleft()
        await receipt
        done += 1
        topics[current] = None
        if progress:
            progress(payload)

    try:
        producer = make_producer(settings, "jointly-publisher")
        try:
            await producer.start()
            for payload in payloads:
                current = topic(payload)
                if current not in checked:
                    await _exists(producer, current)
                    checked.add(current)
                waiting.append((payload, current, await send(producer, current, message_of(payload, key))))
                if len(waiting) >= IN_FLIGHT:
                    await acknowledged()
            while waiting:
                await acknowledged()
        finally:
            await producer.stop()
            # Retrieve the outcomes of events still in flight when one failed; the report leaves them out.
            await asyncio.gather(*(receipt for _, _, receipt in waiting), return_exceptions=True)
    except KafkaError as error:
        raise PublishingError(_sentence(error, settings, current), done) from error
    except SignatureError as error:
        raise PublishingError(str(error), done) from error
    return Summary(done, tuple(topics))


async def _exists(producer: AIOKafkaProducer, topic: str) -> None:
    """Raise UnknownTopicOrPartitionError if the topic is missing, after the time that a new topic needs to become
    known.

    aiokafka would wait 40 seconds. A broker with automatic topic creation would also create a topic, with default
    settings, for the first misspelt authority.
    """
    for attempt in range(TOPIC_TRIES):
        if topic in (await producer.client.fetch_all_metadata()).topics():
            return
        if attempt + 1 < TOPIC_TRIES:
            await asyncio.sleep(0.5)
    raise UnknownTopicOrPartitionError


def _sentence(error: KafkaError, settings: Settings, topic: str) -> str:
    match error:
        case KafkaConnectionError():
            return f"Kafka can't be reached at {', '.join(settings.kafka_bootstrap_servers)}: {error}"
        case UnknownTopicOrPartitionError():
            return (
                f"There is no topic {topic}, or this user may not see it; `jointly topics` creates the declared topics"
            )
        case TopicAuthorizationFailedError():
            return f"This user may not write to {topic}; ask for the right, or try --own-topic"
        case _:
            return f"Kafka did not take an event for {topic}: {type(error).__name__} {error}".rstrip()
