"""How long it takes from a plan's publication to the events of its opportunities, at a steady rate."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from aiokafka import AIOKafkaConsumer

from events.envelope import decode
from events.opportunities import OPPORTUNITY_PAYLOADS, OpportunityState
from events.plans import PlanState
from events.topics import OPPORTUNITIES, PLANS
from services.publisher.producing import message_of
from services.runtime.consuming import FETCH_WAIT_MS
from services.runtime.kafka import connection, make_producer, send
from services.runtime.settings import Settings

_QUIET_SECONDS = 15.0

Key = tuple[str, int]


def latencies(settings: Settings, plans: Sequence[PlanState], rate: float) -> dict[str, Any]:
    """Publishes plans at a rate a second and reads opportunity events; milliseconds from before a plan was handed to
    the producer to the arrival of each event that names that revision, by the later of the event's two plans."""
    return asyncio.run(_latencies(settings, plans, rate))


async def _latencies(settings: Settings, plans: Sequence[PlanState], rate: float) -> dict[str, Any]:
    sent: dict[Key, float] = {}
    arrived: list[float] = []
    consumer = AIOKafkaConsumer(
        OPPORTUNITIES.name, **connection(settings), auto_offset_reset="earliest", fetch_max_wait_ms=FETCH_WAIT_MS
    )
    await consumer.start()
    reading = asyncio.create_task(_read(consumer, sent, arrived))
    try:
        late = await _publish(settings, plans, rate, sent)
        # All have arrived when none has for a good while.
        seen = -1
        while seen != len(arrived):
            seen = len(arrived)
            await asyncio.sleep(_QUIET_SECONDS)
    finally:
        reading.cancel()
        await consumer.stop()
    shares = (50, 90, 99, 100)
    found = np.percentile(arrived, shares) * 1000 if arrived else [float("nan")] * len(shares)
    return {
        "plans": len(plans),
        "opportunity_events": len(arrived),
        **{f"p{share}_ms": round(float(value), 1) for share, value in zip(shares, found, strict=True)},
        "publisher_late_ms": round(1000 * late, 1),
    }


async def _publish(settings: Settings, plans: Sequence[PlanState], rate: float, sent: dict[Key, float]) -> float:
    """The most by which the publisher itself fell behind its rate, in seconds."""
    producer = make_producer(settings, "jointly-bench")
    await producer.start()
    started, late = time.monotonic(), 0.0
    try:
        for number, plan in enumerate(plans):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            sent[plan.plan_id, plan.revision] = time.monotonic()
            late = max(late, time.monotonic() - due)
            await send(producer, PLANS.name, message_of(plan))  # type: ignore[arg-type]
    finally:
        await producer.stop()
    return late


async def _read(consumer: AIOKafkaConsumer, sent: dict[Key, float], arrived: list[float]) -> None:
    """The first event of each pair that a plan's publication brought about; what is said again later is not new."""
    told: set[tuple[str, Key]] = set()
    async for record in consumer:
        now = time.monotonic()
        state = decode(record.headers, record.value, OPPORTUNITY_PAYLOADS).payload
        assert isinstance(state, OpportunityState)
        keys = [key for side in state.plans if (key := (side.plan_id, side.revision)) in sent]
        if keys and (told_of := (state.opportunity_id, max(keys, key=sent.__getitem__))) not in told:
            told.add(told_of)
            arrived.append(now - sent[told_of[1]])
