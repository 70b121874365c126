"""What a long run sends beside the stream: every compression, headers that are not UTF-8, batches that nobody can open,
transactions that end and that are aborted, and so many alike plans that their pairs are settled in parts.

The oracle reads the topic back as committed, so it needs no word of what was sent here.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable
from typing import Final

from aiokafka import AIOKafkaProducer

from events.plans import PlanPublished
from events.topics import PLANS
from services.messaging.record_batches import MAX_BATCH_BYTES
from tests.chaos.odd_batches import batch, many_headers, produce, record
from tests.chaos.odd_events import BAD_HEADER, CODECS
from tests.chaos.stream import AUTHORITIES, Input, begin_sending, input_of, subject

OddInput = Callable[[AIOKafkaProducer, str], Awaitable[None]]
"""Sends one odd thing by this producer, whose broker is at this address. Raises where the broker did not take it."""

ALIKE: Final = 24
"""Alike plans of each of two authorities: 576 pairs, more than one transaction settles."""
ROUNDS: Final = 4
"""How often a run sends each kind."""


def make(seed: int) -> list[OddInput]:
    """Everything that a run sends, in an order of the seed's."""
    chance = random.Random(f"odd {seed}")
    numbers = iter(range(10_000))
    found: list[OddInput] = []
    for _ in range(ROUNDS):
        for codec in CODECS:
            partition = chance.randrange(PLANS.partitions)
            found.append(_raw(partition, batch([_record(at, _plan(next(numbers))) for at in range(3)], codec=codec)))
            bad = [record(at, b"k", b"v", BAD_HEADER) for at in range(2)]
            found.append(_raw(partition, batch(bad, codec=codec)))
        bomb = record(0, b"k", b"\0" * (MAX_BATCH_BYTES + 1))
        found.append(_raw(chance.randrange(PLANS.partitions), batch([bomb], codec="gzip")))
        large = [record(0, b"k", bytes(2 * 1024 * 1024)), many_headers(1, 1_000_000), _record(2, _plan(next(numbers)))]
        found.append(_raw(chance.randrange(PLANS.partitions), batch(large, codec="zstd")))
        found += [_transaction(_plan(next(numbers)), commit=commit) for commit in (True, False, False)]
    chance.shuffle(found)
    return [_alike(), *found]


def _plan(number: int, **changes: object) -> Input:
    authority = AUTHORITIES[number % len(AUTHORITIES)]
    fields = {
        "plan_id": f"{authority}:odd-{number}",
        "authority": authority,
        "revision": 1,
        "kind": "renewal",
        "value": {"amount": 300_000},
        "tender_window": {"earliest": "2027-06-01", "latest": "2027-09-30"},
        **subject(50_000 + number // 2),
    }
    return input_of(PlanPublished.model_validate(fields | changes))


def _record(delta: int, item: Input) -> bytes:
    headers = [(name.encode(), value) for name, value in item.message.headers]
    return record(delta, item.message.key, item.message.value, headers)


def _raw(partition: int, one: bytes) -> OddInput:
    async def send(producer: AIOKafkaProducer, _: str) -> None:
        code = await produce(producer, PLANS.name, partition, one)
        if code != 0:
            raise OSError(f"the broker answered {code}")

    return send


def _transaction(item: Input, *, commit: bool) -> OddInput:
    async def send(_: AIOKafkaProducer, bootstrap: str) -> None:
        theirs = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=uuid.uuid4().hex)
        try:
            await theirs.start()
            await theirs.begin_transaction()
            await asyncio.gather(*await begin_sending(theirs, [item]))
            await (theirs.commit_transaction() if commit else theirs.abort_transaction())
        finally:
            await theirs.stop()

    return send


def _alike() -> OddInput:
    words = {"title": "Dredging of the harbour", "description": "Dredging of the harbour basin and its channel."}
    plans = [
        _plan(20_000 + number, plan_id=f"{authority}:alike-{number}", authority=authority, **words)
        for authority in AUTHORITIES[:2]
        for number in range(ALIKE)
    ]

    async def send(producer: AIOKafkaProducer, _: str) -> None:
        await asyncio.gather(*await begin_sending(producer, plans))

    return send
