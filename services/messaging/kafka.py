"""Kafka for every process: connections, FastStream's broker, the producer."""

import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from aiokafka import AIOKafkaProducer, ConsumerRecord
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512

from events.cloudevents import Message
from services.messaging import record_batches
from services.platform.settings import Settings

# Before any consumer starts, in processes and commands: no record of a producer may stop one.
record_batches.install()

Record: TypeAlias = ConsumerRecord
Records: TypeAlias = Sequence[Record]


def make_broker(settings: Settings, client_id: str) -> KafkaBroker:
    """Build FastStream's broker for the settings' Kafka."""
    return KafkaBroker(
        list(settings.need_kafka()),
        client_id=client_id,
        security=_security(settings),
        enable_idempotence=False,
        logger=None,
    )


def make_producer(settings: Settings, client_id: str) -> AIOKafkaProducer:
    """Build a producer that waits for all in-sync replicas. The caller starts and stops it."""
    return AIOKafkaProducer(
        **connection(settings),
        client_id=client_id,
        acks="all",
        max_request_size=1024 * 1024,
        linger_ms=5,
        compression_type="gzip",
    )


async def send(producer: AIOKafkaProducer, topic: str, message: Message) -> Awaitable[Any]:
    """Pass a message to the producer; await the result for the broker's acknowledgement."""
    future: Awaitable[Any] = await producer.send(
        topic, key=message.key, value=message.value or None, headers=list(message.headers)
    )
    return future


async def send_all(settings: Settings, client_id: str, messages: Sequence[tuple[str, Message]]) -> int:
    """Send messages in order, each to its topic. Returns their number once Kafka has acknowledged all."""
    producer = make_producer(settings, client_id)
    try:
        await producer.start()
        receipts = [await send(producer, topic, message) for topic, message in messages]
        for receipt in receipts:
            await receipt
    finally:
        await producer.stop()
    return len(messages)


def broker_responds(producer: AIOKafkaProducer) -> Callable[[], Awaitable[str | None]]:
    """Check that a broker answers a request over the producer's connections."""

    async def check() -> str | None:
        try:
            await producer.client.fetch_all_metadata()
        except Exception as error:
            return f"Kafka does not answer ({type(error).__name__})"
        return None

    return check


def connection(settings: Settings) -> dict[str, Any]:
    """Build the connection options that every aiokafka client needs."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(settings.need_kafka()),
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.endswith("SSL"):
        options["ssl_context"] = _tls(settings)
    if settings.kafka_security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    return options


def _security(settings: Settings) -> BaseSecurity | None:
    use_tls = settings.kafka_security_protocol.endswith("SSL")
    context = _tls(settings) if use_tls else None
    if settings.kafka_security_protocol.startswith("SASL"):
        kinds = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
        return kinds[settings.kafka_sasl_mechanism](
            username=settings.kafka_username,
            password=settings.kafka_password.get_secret_value(),
            use_ssl=use_tls,
            ssl_context=context,
        )
    return BaseSecurity(use_ssl=True, ssl_context=context) if use_tls else None


def _tls(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.kafka_ca_file)
    if settings.kafka_certificate_file:
        context.load_cert_chain(settings.kafka_certificate_file, settings.kafka_key_file)
    return context
