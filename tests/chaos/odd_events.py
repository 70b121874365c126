"""`python -m tests.chaos.odd_events`: what becomes of odd batches and events, how long the others wait, the memory.

Sends each as it is to a real Kafka, between ordinary plans on every partition, for a real matcher on a real PostgreSQL.
Prints a table, and exits with 1 where a plan was lost or a partition stood still.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer

from events.dead_letters import DEAD_LETTER_PAYLOADS
from events.topics import DEAD_PLANS, PLANS
from services.ingest.event_publisher import message_of
from services.local_stack.postgres import postgres
from services.messaging import kafka
from services.messaging.record_batches import MAX_BATCH_BYTES
from services.store.migrate import migrate
from tests import brokers
from tests.chaos.odd_batches import batch, many_headers, produce, record
from tests.pipeline import Pipeline, invented_plans, payloads_of, pipeline

CODECS = ("none", "gzip", "snappy", "xerial", "lz4", "zstd")
BAD_HEADER = [(b"\xff", b"x")]
PAUSE_SECONDS = 0.2
SETTLE_SECONDS = 180


@dataclass
class Odd:
    """One odd thing: what the broker said, and the offset it got."""

    name: str
    send: Callable[[AIOKafkaProducer, int], Awaitable[int]]
    answer: int = -2
    partition: int = 0


def raw(*batches: bytes) -> Callable[[AIOKafkaProducer, int], Awaitable[int]]:
    """Sends batches one after the other; the last answer."""

    async def send(producer: AIOKafkaProducer, partition: int) -> int:
        answers = [await produce(producer, PLANS.name, partition, one) for one in batches]
        return answers[-1]

    return send


def transaction(*outcomes: str) -> Callable[[AIOKafkaProducer, int], Awaitable[int]]:
    """Sends a transaction for each outcome, with a plan that is no plan where it is aborted."""

    async def send(producer: AIOKafkaProducer, partition: int) -> int:
        theirs = AIOKafkaProducer(bootstrap_servers=bootstrap(producer), transactional_id=f"odd-{partition}-{outcomes}")
        await theirs.start()
        try:
            for outcome in outcomes:
                await theirs.begin_transaction()
                await theirs.send_and_wait(PLANS.name, b"{}", key=b"k", partition=partition)
                if outcome == "open":
                    await asyncio.sleep(3)
                await (theirs.commit_transaction() if outcome == "committed" else theirs.abort_transaction())
        finally:
            await theirs.stop()
        return 0

    return send


def bootstrap(producer: AIOKafkaProducer) -> str:
    """host:port of the broker a producer is on."""
    (node, *_) = producer.client.cluster.brokers()
    return f"{node.host}:{node.port}"


def odd_ones() -> list[Odd]:
    """All of them, more than 48."""
    made: list[Odd] = []

    def add(name: str, *batches: bytes) -> None:
        made.append(Odd(name, raw(*batches)))

    bomb = record(0, b"k", b"\0" * (MAX_BATCH_BYTES + 1))
    for codec in CODECS:
        add(f"{codec}: not JSON", batch([record(0, b"k", b"nonsense")], codec=codec))
        add(
            f"{codec}: two bad header names in a row",
            batch([record(at, b"k", b"v", BAD_HEADER) for at in (0, 1)], codec=codec),
        )
        middle = [record(at, b"k", b"v", BAD_HEADER if at == 1 else ()) for at in range(3)]
        add(f"{codec}: one bad header name in the middle", batch(middle, codec=codec))
        add(f"{codec}: 200,000 bytes that are no plan", batch([record(0, b"k", b"x" * 200_000)], codec=codec))
        if codec != "none":
            add(f"{codec}: a bomb of more than 16 MiB", batch([bomb], codec=codec))
            add(f"{codec}: ten bombs in a row", *[batch([bomb], codec=codec)] * 10)
            add(
                f"{codec}: 8 MB of JSON that begins well", batch([record(0, b"k", b'{"a": [' * 1_100_000)], codec=codec)
            )
    add(
        "gzip: 20,000 records of nothing in one batch",
        batch([record(at, None, None) for at in range(20_000)], codec="gzip"),
    )
    add(
        "gzip: 60,000 records of nothing in one batch",
        batch([record(at, None, None) for at in range(60_000)], codec="gzip"),
    )
    add("gzip: 8,000,000 headers", batch([many_headers(0, 8_000_000)], codec="gzip"))
    add("zstd: 200 values of 15 MiB in a row", *[batch([record(0, b"k", bytes(15 * 1024 * 1024))], codec="zstd")] * 200)
    add("zstd: 200 values of 1 MB in a row", *[batch([record(0, b"k", bytes(1_000_000))], codec="zstd")] * 200)
    add("gzip: 20 values of a million brackets", *[batch([record(0, b"k", b"[],[" * 250_000)], codec="gzip")] * 20)
    add("1,000 headers", batch([record(0, b"k", b"v", [(b"h", b"x")] * 1000)]))
    add("a header of 500,000 bytes", batch([record(0, b"k", b"v", [(b"h", b"x" * 500_000)])]))
    add("a key of 300,000 bytes", batch([record(0, b"k" * 300_000, b"v")]))
    add("no value", batch([record(0, b"k", None)]))
    add("no key", batch([record(0, None, b"v")]))
    add("an empty header name", batch([record(0, b"k", b"v", [(b"", None)])]))
    for name, raw_batch in {
        "a compression that is none": batch([record(0, b"k", b"v")], number=5),
        "bytes that are not zstd": batch([], codec="zstd", packed=b"nonsense", count=1),
        "gzip cut short": batch([], codec="gzip", packed=b"\x1f\x8b\x08", count=1),
        "a wrong checksum": batch([record(0, b"k", b"v")], crc=1),
        "an old format": batch([record(0, b"k", b"v")], magic=1),
        "fewer records than it says": batch([record(0, b"k", b"v")], count=3, last=0),
        "a batch that ends before it begins": batch([record(0, b"k", b"v")], last=-5),
        "2 MiB without compression": batch([record(0, b"k", bytes(2 * 1024 * 1024))]),
    }.items():
        add(name, raw_batch)
    for outcomes in (("aborted",), ("committed",), ("aborted",) * 20, ("open",), ("committed", "aborted")):
        named = ", ".join(sorted(set(outcomes)))
        made.append(Odd(f"{len(outcomes)} transactions: {named}", transaction(*outcomes)))
    return made


def memory_mb(pid: int, what: str) -> int:
    """VmRSS or VmHWM of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(what))


async def feed(line: Pipeline, odd: list[Odd]) -> dict[str, float]:
    """Sends everything; when each ordinary plan was sent."""
    producer = kafka.make_producer(line.settings, "odd")
    await producer.start()
    sent: dict[str, float] = {}
    plans = iter(invented_plans(len(odd) * PLANS.partitions))
    try:
        for number, one in enumerate(odd):
            one.partition = number % PLANS.partitions
            one.answer = await one.send(producer, one.partition)
            for partition in range(PLANS.partitions):
                plan = next(plans)
                message = message_of(plan)
                sent[plan.plan_id] = time.time()
                await producer.send_and_wait(
                    PLANS.name, message.value, key=message.key, headers=list(message.headers), partition=partition
                )
            await asyncio.sleep(PAUSE_SECONDS)
    finally:
        await producer.stop()
    return sent


def run(line: Pipeline) -> bool:
    """Feeds a matcher, prints what was seen, and says whether all is well."""
    matcher = line.start("matcher")
    odd = odd_ones()
    before = memory_mb(matcher.pid, "VmRSS")
    sent = asyncio.run(feed(line, odd))
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline and line.metric(matcher, "jointly_consumer_lag_records") > 0:
        time.sleep(1)
    time.sleep(6)  # until the lag was measured after the last one
    lag = line.metric(matcher, "jointly_consumer_lag_records")
    logged: dict[str, float] = {
        plan_id: at.timestamp() for plan_id, at in line.sql("SELECT plan_id, min(received_at) FROM plan_log GROUP BY 1")
    }
    letters: list[Any] = payloads_of(line.settings.kafka_bootstrap_servers[0], DEAD_PLANS.name, DEAD_LETTER_PAYLOADS)
    reasons: dict[str, int] = {}
    for letter in {letter.dead_letter_id: letter for letter in letters}.values():
        reasons[letter.reason] = reasons.get(letter.reason, 0) + 1
    for one in odd:
        sys.stdout.write(f"| {one.name} | {'taken' if one.answer == 0 else f'refused by Kafka ({one.answer})'} |\n")
    waits = sorted(logged[plan_id] - at for plan_id, at in sent.items() if plan_id in logged)
    lost = len(sent) - len(waits)
    p50, p99 = (waits[int(len(waits) * share)] for share in (0.5, 0.99)) if waits else (0.0, 0.0)
    sys.stdout.write(
        f"{len(odd)} odd ones, {len(sent)} plans beside them, {lost} lost, lag {lag:.0f}\n"
        f"wait of the others: p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms, longest {waits[-1] * 1000:.0f} ms\n"
        f"dead letters: {reasons}\n"
        f"memory of the matcher: {before} MB before, {memory_mb(matcher.pid, 'VmRSS')} MB after, "
        f"{memory_mb(matcher.pid, 'VmHWM')} MB at most\n"
    )
    return not lost and not lag


def main() -> int:
    """Exit status 0 where nothing was lost and nothing stood still."""
    with (
        tempfile.TemporaryDirectory(prefix="jointly-odd-") as name,
        postgres(Path(name) / "postgres", durable=False) as server,
        brokers.apache_kafka(Path(name) / "kafka") as node,
        server.fresh_database(template=server.create_template("jointly_template", migrate)) as url,
        pipeline(node.bootstrap, url, Path(name)) as line,
    ):
        return 0 if run(line) else 1


if __name__ == "__main__":
    sys.exit(main())
