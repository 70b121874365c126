"""Feeds the stream in beside the faults, patiently: what the broker has not acknowledged is sent again."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from tests.chaos.odd_inputs import OddInput
from tests.chaos.stream import CANARIES, Input, begin_sending, canary, input_of

CHUNK: Final = 10
ODD_PATIENCE_SECONDS: Final = 20.0


class Feeder:
    """A thread with a producer of its own. `fed` counts the records of the stream that the broker has."""

    def __init__(self, bootstrap: str, inputs: Sequence[Input], seconds: float, odd: Sequence[OddInput] = ()) -> None:
        self._bootstrap, self._inputs, self._seconds, self._odd = bootstrap, inputs, seconds, odd
        self._loop = asyncio.new_event_loop()
        self._producer: AIOKafkaProducer | None = None
        self._making = asyncio.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, name="feeder", daemon=True)
        self._thread.start()
        self._canary = 0
        self.fed = 0
        self.stream = asyncio.run_coroutine_threadsafe(self._feed_all(), self._loop)

    def canary(self) -> int:
        """Has a new revision of the canary published; which one. Returns once the broker has it."""
        self._canary += 1
        plans = CANARIES if self._canary == 1 else CANARIES[:1]
        inputs = [input_of(canary(plan_id, self._canary)) for plan_id in plans]
        asyncio.run_coroutine_threadsafe(self._send(inputs), self._loop).result()
        return self._canary

    def close(self) -> None:
        """Waits for the rest of the stream, then ends."""
        self.stream.result()
        if self._producer is not None:
            asyncio.run_coroutine_threadsafe(self._producer.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _feed_all(self) -> None:
        await asyncio.gather(self._feed(), self._feed_odd())

    async def _feed_odd(self) -> None:
        began = time.monotonic()
        for number, send in enumerate(self._odd):
            due = began + self._seconds * number / len(self._odd)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            while True:
                try:
                    async with asyncio.timeout(ODD_PATIENCE_SECONDS):
                        await send(await self._ready(), self._bootstrap)
                    break
                except (KafkaError, OSError, TimeoutError):
                    await asyncio.sleep(0.3)

    async def _feed(self) -> None:
        began = time.monotonic()
        for start in range(0, len(self._inputs), CHUNK):
            due = began + self._seconds * start / len(self._inputs)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            chunk = self._inputs[start : start + CHUNK]
            await self._send(chunk)
            self.fed += len(chunk)

    async def _send(self, inputs: Sequence[Input]) -> None:
        left = list(inputs)
        while left:
            try:
                producer = await self._ready()
                done = await asyncio.gather(*await begin_sending(producer, left), return_exceptions=True)
                left = [item for item, outcome in zip(left, done, strict=True) if isinstance(outcome, BaseException)]
            except (KafkaError, OSError):
                pass
            if left:
                await asyncio.sleep(0.3)

    async def _ready(self) -> AIOKafkaProducer:
        async with self._making:  # stream and canary may both be the first
            return await self._made()

    async def _made(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                acks="all",
                max_request_size=1024 * 1024,
                request_timeout_ms=5000,
                metadata_max_age_ms=5000,
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer
