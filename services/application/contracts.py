"""Builds contract events from a file's content, and sends them over Kafka."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid5

from events.cloudevents import Event, Message, encode
from events.contracts import ContractPayload
from events.jwk import SigningKey
from events.signing import sign_as
from events.topics import CONTRACTS, authority_topic
from services.messaging import kafka
from services.platform.clock import now
from services.platform.settings import Settings

_NAMESPACE: Final = UUID("a0f5ad6e-2f0b-5f5c-9d0e-6b8d6f3f1c52")


def contract_event(payload: ContractPayload) -> Event:
    """Builds the CloudEvent of a payload. Publishing the same payload again gives the same id."""
    return Event(
        id=str(uuid5(_NAMESPACE, f"{payload.type}\n{payload.model_dump_json()}")),
        type=payload.type,
        source=f"/authorities/{payload.authority}/contracts",
        time=now(),
        subject=payload.contract_id,
        payload=payload,
    )


def contract_message(payload: ContractPayload, key: SigningKey | None = None) -> Message:
    """Builds the Kafka message of a payload, signed if there is a key. Raises SignatureError if the key is
    another's."""
    event = contract_event(payload)
    message = encode(event, payload.contract_id)
    return sign_as(payload.authority, event, message, key) if key else message


async def send(
    settings: Settings, payloads: Sequence[ContractPayload], *, key: SigningKey | None = None, own_topic: bool = False
) -> int:
    """Publishes contract events in order and waits until Kafka has acknowledged all; returns their number.

    Raises SignatureError if a key is another authority's, KafkaError if Kafka refuses one.
    """
    messages = [
        (authority_topic(payload.authority, CONTRACTS) if own_topic else CONTRACTS.name, contract_message(payload, key))
        for payload in payloads
    ]
    return await kafka.send_all(settings, "jointly-contracts", messages)
