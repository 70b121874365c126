"""Plan events onto Kafka: keyed by plan, acknowledged by all replicas, the same id whenever the same is published."""

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
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
from services.platform.settings import Settings

IN_FLIGHT: Final = 500
"""How many events may await their acknowledgement."""

TOPIC_TRIES: Final = 8
"""How often a topic is looked for, every half second, before it counts as missing."""

_NAMESPACE: Final = UUID("6e1d3a52-6f0c-5d7b-9a53-0d6c2f5b7a10")


class PublishingError(Exception):
    """Kafka did not take an event: a sentence for people, and how many it had taken before."""

    def __init__(self, sentence: str, published: int) -> None:
        super().__init__(sentence)
        self.published = published


@dataclass(frozen=True, slots=True)
class Summary:
    """What was published: how many events, onto which topics."""

    published: int
    topics: tuple[str, ...]


def content_hash(payload: PlanPayload) -> str:
    """sha256 over the event's type and whole content."""
    return hashlib.sha256(f"{payload.type}\n{payload.model_dump_json()}".encode()).hexdigest()


def plan_event(payload: PlanPayload, time: datetime | None = None) -> Event:
    """The CloudEvent of a payload. Its id depends on plan, revision, type and content alone: published again, it is
    recognisable as the same."""
    name = json.dumps([payload.plan_id, payload.revision, payload.type, content_hash(payload)])
    return Event(
        id=str(uuid5(_NAMESPACE, name)),
        type=payload.type,
        source=f"/authorities/{payload.authority}/plans",
        time=time or datetime.now(UTC),
        subject=payload.plan_id,
        payload=payload,
    )


def structured(payload: PlanPayload) -> str:
    """The event as a CloudEvent in structured mode, in one line; without a time, so that it is always the same."""
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
    """The topic of all authorities."""
    return PLANS.name


def own_topic(payload: PlanPayload) -> str:
    """The topic on which only the plan's authority may write."""
    return authority_topic(payload.authority)


def message_of(payload: PlanPayload, key: SigningKey | None = None) -> Message:
    """A payload as a Kafka message, signed where there is a key. Raises SignatureError where that is another's."""
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
    """Publishes the payloads in their order and returns when Kafka has acknowledged all of them.

    `topic` says onto which topic each goes; `progress` is called with each once it is acknowledged; `key` signs each.
    Raises PublishingError where Kafka can't be reached or refuses one, or where the key is another authority's;
    publishing all of them again is then safe.
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
            # What was still on its way when one failed: its outcome is not ours to report, but has to be fetched.
            await asyncio.gather(*(receipt for _, _, receipt in waiting), return_exceptions=True)
    except KafkaError as error:
        raise PublishingError(_sentence(error, settings, current), done) from error
    except SignatureError as error:
        raise PublishingError(str(error), done) from error
    return Summary(done, tuple(topics))


async def _exists(producer: AIOKafkaProducer, topic: str) -> None:
    """Raises UnknownTopicOrPartitionError where the topic isn't there, after the time a new one needs to become known.

    aiokafka itself would wait 40 seconds, and a broker that creates topics on demand would get one with its own
    settings for the first misspelt authority.
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
            return f"There is no topic {topic}, or this user may not see it; `jointly topics` creates what is declared"
        case TopicAuthorizationFailedError():
            return f"This user may not write to {topic}; ask for the right, or try --own-topic"
        case _:
            return f"Kafka did not take an event for {topic}: {type(error).__name__} {error}".rstrip()
