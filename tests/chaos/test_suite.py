"""The fault suite itself: its stream is the seed's, its proxy breaks what it says, its oracle sees what is wrong."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from events.dead_letters import DeadLetterReason
from events.plans import PlanPublished
from events.topics import PLANS
from services.matcher.settlement import PAIRS_AT_ONCE
from services.messaging.unreadable_records import UnreadableRecord
from tests.chaos import odd_inputs, stream
from tests.chaos.mutants import MUTANTS, ROOT, Mutant
from tests.chaos.oracle import expected_pairs, fold
from tests.chaos.proxy import Link, Proxies, Toxic, proxies
from tests.chaos.stream import CANARIES, Input, canary
from tests.pipeline import all_pairs


@dataclass
class Record:
    topic: str
    partition: int
    offset: int
    headers: Any
    value: bytes


def records(inputs: list[Input]) -> list[Record]:
    return [
        Record("procurement.plans.v1", item.partition, offset, item.message.headers, item.message.value)
        for offset, item in enumerate(inputs)
    ]


def test_a_seed_makes_the_same_stream_with_everything_wrong_in_it() -> None:
    inputs = stream.make(7, 200)
    assert inputs == stream.make(7, 200)
    assert inputs != stream.make(8, 200)
    accepted = fold(records(inputs))
    refused = len(accepted.refused)
    doubled = len(inputs) - refused - len(accepted.revisions)
    assert 0.15 < doubled / len(inputs) < 0.25
    assert 0.005 < refused / len(inputs) < 0.04
    astray = [item for item in inputs if item.partition != stream.partition_of(item.message.key)]
    assert 0.01 < len(astray) / len(inputs) < 0.06
    late = 0
    seen: dict[str, int] = {}
    for plan_id, revision in accepted.revisions:
        late += revision < seen.get(plan_id, 0)
        seen[plan_id] = max(revision, seen.get(plan_id, 0))
    assert late > 3, "some overtake each other"


def test_the_first_of_two_contents_counts_and_the_other_is_refused() -> None:
    first = stream.input_of(canary(CANARIES[0], 1))
    other = stream.input_of(canary(CANARIES[0], 1).model_copy(update={"title": "Something else"}))
    accepted = fold(records([first, first, other]))
    assert accepted.latest[CANARIES[0]] == canary(CANARIES[0], 1)
    assert list(accepted.refused.values()) == [DeadLetterReason.REVISION_CONFLICT]


def test_a_batch_that_nobody_can_open_is_to_be_a_dead_letter() -> None:
    good = records([stream.input_of(canary(CANARIES[0], 1))])
    batch = (PLANS.name, 0, 7, -1, 0, None, b"raw", None, -1, 3, ())
    accepted = fold([*good, UnreadableRecord(*batch)])
    assert accepted.refused == {(PLANS.name, 0, 7): DeadLetterReason.UNREADABLE_BATCH}
    assert list(accepted.latest) == [CANARIES[0]]


def test_the_alike_plans_of_a_long_run_are_settled_in_parts() -> None:
    assert odd_inputs.ALIKE**2 > PAIRS_AT_ONCE


def test_every_pair_is_what_a_search_finds() -> None:
    """The oracle assesses all pairs; where this fails, the engine's search is no superset of what counts."""
    latest = list(fold(records(stream.make(3, 70))).latest.values())
    shared = [plan for plan in latest if isinstance(plan, PlanPublished) or hasattr(plan, "title")]
    searched = all_pairs(plan for plan in shared if plan.sharing != "private")  # type: ignore[union-attr,misc]
    assert {pair: found[:2] for pair, found in expected_pairs(latest).items()} == searched
    assert len(searched) > 3


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_every_seeded_bug_still_has_its_place(mutant: Mutant) -> None:
    """Each replaces what stands in the code exactly once; `make test-mutation` takes too long for every change."""
    for edit in mutant.edits:
        assert (ROOT / edit.file).read_text("utf-8").count(edit.old) == 1, edit.file


@pytest.fixture
def wires() -> Iterator[Proxies]:
    with proxies() as made:
        yield made


async def _echoed(link: Link, data: bytes) -> bytes:
    """What comes back through a link to a server that says everything twice; what there was before a reset."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(await reader.readexactly(len(data)) * 2)
            await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        await _closed(writer)
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    link.upstream = server.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
    writer.write(data)
    found = b""
    try:
        while piece := await reader.read(1000):
            found += piece
    except ConnectionResetError:
        found += b"|reset"
    await _closed(writer)
    await ended.wait()
    server.close()
    await server.wait_closed()
    return found


async def _closed(writer: asyncio.StreamWriter) -> None:
    """Closes a connection, and returns once it is: before its loop may be."""
    writer.close()
    with suppress(OSError):  # of one that was reset
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("toxic", "direction", "comes"),
    [
        (None, "up", b"abcdabcd"),
        ("latency", "down", b"abcdabcd"),
        ("reset", "up", b"|reset"),
        ("reset", "down", b"|reset"),
        ("cut", "up", b"|reset"),
        ("cut", "down", b"abcd|reset"),
    ],
)
async def test_a_toxic_does_what_it_says(wires: Proxies, toxic: Toxic | None, direction: Any, comes: bytes) -> None:
    link = wires.link()
    if toxic:
        link.toxics[direction] = toxic
    assert await _echoed(link, b"abcd") == comes
    assert link.bitten == (1 if toxic else 0)


async def test_what_is_stalled_goes_on_once_that_ends(wires: Proxies) -> None:
    link = wires.link()
    link.toxics["down"] = "stall"
    coming = asyncio.create_task(_echoed(link, b"abcd"))
    while not link.bitten:
        await asyncio.sleep(0.01)
    assert not coming.done()
    link.toxics.clear()
    assert await coming == b"abcdabcd"
