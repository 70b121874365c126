"""What the fault suite feeds in: a seeded stream of plan events, with all that councils' systems do wrong in it."""

import asyncio
import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from events.cloudevents import Message, encode
from events.plans import PlanAwarded, PlanPayload, PlanPublished, PlanUpdated, PlanWithdrawn
from events.topics import PLANS
from services.ingest.event_publisher import plan_event

AUTHORITIES: Final = tuple(f"E0790{number:04d}" for number in range(60))
CANARIES: Final = ("E08000001:canary", "E08000002:canary")
DUPLICATES: Final = 0.2
STRAYS: Final = 0.03
"""How many revisions are sent to a partition that their key does not name: order across partitions is nobody's."""
LATE: Final = 0.15
POISON: Final = 0.01
CONFLICTS: Final = 0.005
_AT: Final = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
_SYLLABLES: Final = ("ba", "cor", "del", "fin", "gra", "hol", "jun", "kem", "lor", "mav", "nis", "pel", "qui", "ros")


@dataclass(frozen=True, slots=True)
class Input:
    """One record for the plans topic."""

    partition: int
    message: Message


def make(seed: int, plans: int) -> list[Input]:
    """The whole stream: every plan's history, interleaved, partly late, doubled, strayed and spoilt."""
    chance = random.Random(seed)
    histories = [list(_history(chance, number, max(1, plans // 5))) for number in range(plans)]
    order = [number for number, history in enumerate(histories) for _ in history]
    chance.shuffle(order)
    inputs: list[tuple[float, Input]] = []
    for place, number in enumerate(order):
        payload = histories[number].pop(0)
        inputs += _copies(chance, float(place), payload)
    inputs += [(chance.uniform(0, len(order)), _poison(chance)) for _ in range(max(2, round(POISON * len(order))))]
    return [item for _, item in sorted(inputs, key=lambda pair: pair[0])]


def input_of(payload: PlanPayload, partition: int | None = None) -> Input:
    """The record of one plan event, on the partition of its key unless told otherwise."""
    message = encode(plan_event(payload, _AT), payload.plan_id)
    return Input(partition_of(message.key) if partition is None else partition, message)


def partition_of(key: bytes) -> int:
    """Where a key belongs."""
    return zlib.crc32(key) % PLANS.partitions


def canary(plan_id: str, revision: int) -> PlanPublished | PlanUpdated:
    """One of two plans that always match; each new revision sends the pair's opportunity the whole way."""
    kind = PlanPublished if revision == 1 else PlanUpdated
    return kind.model_validate(
        {
            "plan_id": plan_id,
            "revision": revision,
            "authority": plan_id.split(":")[0],
            "title": "Lighthouse lantern renewal",
            "description": "Renewal of the lantern, lens and fog signal of the harbour lighthouse.",
            "kind": "renewal",
            "value": {"amount": 400_000},
            "tender_window": {"earliest": "2027-06-01", "latest": "2027-09-30"},
        }
    )


def _history(chance: random.Random, number: int, subjects: int) -> Iterator[PlanPayload]:
    """A plan's revisions in order: published, edited, perhaps ended, perhaps taken up again."""
    authority = AUTHORITIES[number * 7 % len(AUTHORITIES)]
    plan_id, revision = f"{authority}:{number:05d}", chance.choice((1, 1, 1, 7))
    state = _first(chance, number % subjects)
    yield PlanPublished.model_validate({**state, **_who(plan_id, authority, revision)})
    for _ in range(chance.choice((0, 0, 1, 1, 2, 3))):
        revision += chance.choice((1, 1, 1, 5))
        who = _who(plan_id, authority, revision)
        what = chance.random()
        if what < 0.15:
            yield PlanWithdrawn.model_validate({**who, "reason": "No longer needed"})
        elif what < 0.22:
            yield PlanAwarded.model_validate({**who, "awarded_on": "2026-11-19"})
        else:
            state = {**state, **_edit(chance, state)}
            yield PlanUpdated.model_validate({**state, **who})


def _who(plan_id: str, authority: str, revision: int) -> dict[str, Any]:
    return {"plan_id": plan_id, "authority": authority, "revision": revision}


def subject(number: int) -> dict[str, str]:
    """Title and description of something to buy, in words of its own."""
    words = [_word(number * 101 + step * 7919) for step in range(5)]
    return {
        "title": f"{words[0].capitalize()} {words[1]} system",
        "description": f"A system for {words[0]} {words[1]} with {words[2]}, {words[3]} and {words[4]} records.",
    }


def _first(chance: random.Random, number: int) -> dict[str, Any]:
    return {
        **subject(number),
        "kind": chance.choice(("new", "renewal", "project")),
        "value": {"amount": chance.randrange(60_000, 900_000)},
        "tender_window": _window(chance),
    }


def _edit(chance: random.Random, state: dict[str, Any]) -> dict[str, Any]:
    edits: list[dict[str, Any]] = [
        {"tender_window": _window(chance)},
        {"value": {"amount": chance.randrange(60_000, 5_000_000)}},
        {"description": f"{state['description']} Also {_word(chance.randrange(10_000))}."},
        {"stage": chance.choice(("planned", "engagement", "tendering"))},
        {"sharing": chance.choice(("open", "match_only", "private"))},
        {"stage": "planned", "sharing": "open"},
    ]
    return chance.choice(edits)


def _window(chance: random.Random) -> dict[str, str]:
    earliest = date(2027, 3, 1) + timedelta(days=chance.randrange(0, 240))
    return {
        "earliest": earliest.isoformat(),
        "latest": (earliest + timedelta(days=chance.randrange(30, 150))).isoformat(),
    }


def _word(number: int) -> str:
    base = len(_SYLLABLES)
    return "".join(_SYLLABLES[number // base**place % base] for place in range(4))


def _copies(chance: random.Random, place: float, payload: PlanPayload) -> Iterator[tuple[float, Input]]:
    """A revision and what else is sent of it, each with its place in the stream."""
    stray = chance.random() < STRAYS
    item = input_of(payload, chance.randrange(PLANS.partitions) if stray else None)
    if chance.random() < LATE:
        place += chance.uniform(1, 40)
    yield place, item
    if chance.random() < DUPLICATES:
        yield place + chance.uniform(0.1, 60), item
    if not stray and chance.random() < CONFLICTS:
        # Which of the two counts is only clear where both stand in one partition.
        other = input_of(_contradicted(payload))
        yield place + chance.uniform(0.1, 20), other


def _contradicted(payload: PlanPayload) -> PlanPayload:
    if isinstance(payload, PlanPublished | PlanUpdated):
        return payload.model_copy(update={"title": f"{payload.title} or another"})
    return PlanWithdrawn(
        plan_id=payload.plan_id, revision=payload.revision, authority=payload.authority, reason="Said otherwise"
    )


def _poison(chance: random.Random) -> Input:
    """A record that is no plan event, each in another way."""
    good = encode(plan_event(canary(CANARIES[0], 1_000_000 + chance.randrange(1000)), _AT), CANARIES[0])
    headers = good.headers
    spoilt: Sequence[Message] = (
        Message(good.key, headers, b"{nonsense"),
        Message(good.key, headers, good.value.replace(b"400000.0", b"NaN")),
        Message(good.key, headers, good.value.replace(b'"E08000001:', b'"E08000003:')),
        Message(good.key, [(n, b"jointly.plan.v9" if n == "ce_type" else v) for n, v in headers], good.value),
        Message(good.key, (), good.value),
        Message(b"\xff\xfe", headers, good.value.replace(b"Lighthouse lantern renewal", b"")),
        Message(good.key, headers, good.value + b" " * 300_000),
    )
    return Input(chance.randrange(PLANS.partitions), chance.choice(spoilt))


async def begin_sending(producer: AIOKafkaProducer, items: Sequence[Input]) -> list[asyncio.Future[Any]]:
    """Hands inputs to the producer in order; each future ends once the broker has the record."""
    return [
        await producer.send(
            PLANS.name,
            value=item.message.value,
            key=item.message.key,
            headers=list(item.message.headers),
            partition=item.partition,
        )
        for item in items
    ]
