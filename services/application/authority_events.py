"""Events that authorities publish about one kind of thing: built, signed and sent over Kafka."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID, uuid5

from events.cloudevents import Event, Message, encode
from events.contracts import ContractPayload
from events.jwk import SigningKey
from events.responses import ResponsePayload
from events.signing import sign_as
from events.topics import Topic, authority_topic
from services.messaging import kafka
from services.platform import clock
from services.platform.settings import Settings

P = TypeVar("P", ContractPayload, ResponsePayload)


@dataclass(frozen=True, slots=True)
class AuthorityEvents(Generic[P]):
    """The events of one topic. `things` is the plural noun of their subjects, such as contracts.

    `subject` returns the id of a payload's subject. Event ids are UUIDs in `namespace`.
    """

    topic: Topic
    things: str
    namespace: UUID
    subject: Callable[[P], str]

    def event(self, payload: P) -> Event:
        """Build the CloudEvent of a payload. The same payload always gets the same id."""
        return Event(
            id=str(uuid5(self.namespace, f"{payload.type}\n{payload.model_dump_json()}")),
            type=payload.type,
            source=f"/authorities/{payload.authority}/{self.things}",
            time=clock.now(),
            subject=self.subject(payload),
            payload=payload,
        )

    def message(self, payload: P, key: SigningKey | None = None) -> Message:
        """Build the Kafka message of a payload, signed if there is a key. Raises SignatureError if the key is another
        authority's."""
        event = self.event(payload)
        message = encode(event, self.subject(payload))
        return sign_as(payload.authority, event, message, key) if key else message

    async def send(
        self, settings: Settings, payloads: Sequence[P], *, key: SigningKey | None = None, own_topic: bool = False
    ) -> int:
        """Publish payloads in order and wait until Kafka has acknowledged all; returns their number.

        `own_topic`: each to its authority's own topic. Raises SignatureError if a key is another authority's,
        KafkaError if Kafka refuses one.
        """
        messages = [
            (
                authority_topic(payload.authority, self.topic) if own_topic else self.topic.name,
                self.message(payload, key),
            )
            for payload in payloads
        ]
        return await kafka.send_all(settings, f"jointly-{self.things}", messages)
