"""What a fetch response holds is read record by record, whatever it is; what can't be read is in its place."""

import random
import struct
from collections.abc import Sequence
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.util import calc_crc32c

from events.dead_letters import DeadLetterReason
from services.messaging import kafka
from services.messaging.poll_limits import MAX_POLL_BYTES, FetchResult, limited
from services.messaging.record_batches import MAX_BATCH_BYTES, MAX_RECORDS, FetchedBatches, PartitionRecords
from services.messaging.record_parser import MAX_HEADERS, MAX_RECORD_BYTES
from services.messaging.unreadable_records import UnreadableRecord
from tests.chaos.odd_batches import batch, many_headers, record

PLACE = TopicPartition("t", 0)
ALL_CODECS = ("none", "gzip", "snappy", "xerial", "lz4", "zstd")
BOMB = record(0, b"k", b"\0" * (MAX_BATCH_BYTES + 1))


def read(*batches: bytes, position: int = 0, aborted: Sequence[tuple[int, int]] = ()) -> tuple[list[Any], int]:
    """The records of a fetch response, and the offset at which the client goes on."""
    made = PartitionRecords(
        PLACE, FetchedBatches(b"".join(batches)), aborted, position, None, None, True, fetcher.READ_COMMITTED
    )
    return list(made), made.next_fetch_offset


def offsets(records: Sequence[Any]) -> list[tuple[int, bool]]:
    """Offset of each, and whether it can be read."""
    return [(one.offset, not isinstance(one, UnreadableRecord)) for one in records]


def good(first: int, **more: Any) -> bytes:
    return batch([record(0, b"k", b"v", [(b"ce_id", b"1"), (b"note", None)])], first=first, **more)


def test_every_consumer_reads_this_way() -> None:
    assert kafka.Record is not None
    assert fetcher.PartitionRecords is PartitionRecords
    assert fetcher.MemoryRecords is FetchedBatches
    assert fetcher.FetchResult is FetchResult


@pytest.mark.parametrize("codec", ALL_CODECS)
def test_all_codecs_are_read(codec: str) -> None:
    chance = random.Random(1)
    values = [None, b"", b"v" * 100_000, chance.randbytes(50_000)]
    found, position = read(
        batch([record(at, b"k", value, [(b"n", b"v")]) for at, value in enumerate(values)], codec=codec, first=7)
    )
    assert [(one.offset, one.key, one.value, one.headers) for one in found] == [
        (7 + at, b"k", value, (("n", b"v"),)) for at, value in enumerate(values)
    ]
    assert position == 11


@pytest.mark.parametrize("codec", ALL_CODECS[1:])
def test_a_batch_that_would_be_too_large_is_not_decompressed(codec: str) -> None:
    raw = batch([BOMB], codec=codec, first=3)
    assert len(raw) < 1024 * 1024
    found, position = read(good(2), raw, good(4))
    assert offsets(found) == [(2, True), (3, False), (4, True)]
    assert position == 5
    assert found[1].reason is DeadLetterReason.UNREADABLE_BATCH
    assert f"more than {MAX_BATCH_BYTES} bytes without its " in found[1].sentence
    assert found[1].value == raw


@pytest.mark.parametrize("codec", ALL_CODECS)
def test_a_batch_of_the_largest_size_is_read(codec: str) -> None:
    around = len(largest(0)) - len(largest(0, spare=64))
    count = MAX_BATCH_BYTES // len(largest(0))
    rest = MAX_BATCH_BYTES - count * len(largest(0)) - around - len(record(count, b"k", b""))
    records = [*map(largest, range(count)), record(count, b"k", bytes(max(0, rest)))]
    found, _ = read(batch(records, codec=codec))
    assert offsets(found) == [(at, True) for at in range(count + 1)]


def largest(delta: int, *, spare: int = 0) -> bytes:
    """A record as large as one may be, less what is to be spared."""
    around = len(record(delta, b"k", bytes(MAX_RECORD_BYTES))) - 4 - MAX_RECORD_BYTES
    return record(delta, b"k", bytes(MAX_RECORD_BYTES - around - spare))


TOO_LARGE = {
    "a byte too many": (record(1, b"k", bytes(MAX_RECORD_BYTES)), MAX_RECORD_BYTES),
    "a value of 15 MiB": (record(1, b"k", bytes(15 * 1024 * 1024)), 15 * 1024 * 1024),
    "a key of 15 MiB": (record(1, b"k" * 15 * 1024 * 1024, b"v"), 1),
    "a header of 15 MiB": (record(1, b"k", b"v", [(b"h", bytes(15 * 1024 * 1024))]), 1),
    "a header too many": (record(1, b"k", b"v", [(b"h", b"")] * (MAX_HEADERS + 1)), 1),
    "8,000,000 headers": (many_headers(1, 8_000_000), 1),
    "no value, and headers": (record(1, b"k", None, [(b"h", b"")] * (MAX_HEADERS + 1)), -1),
}


@pytest.mark.parametrize("codec", ["none", "zstd"])
@pytest.mark.parametrize("name", TOO_LARGE)
def test_a_record_that_is_too_large_is_left_out(name: str, codec: str) -> None:
    raw, length = TOO_LARGE[name]
    allowed = record(2, b"k", b"v", [(b"h", b"x")] * MAX_HEADERS)
    found, position = read(batch([record(0, b"k", b"v"), raw, allowed], codec=codec))
    assert (offsets(found), position) == ([(0, True), (1, False), (2, True)], 3)
    refused = found[1]
    assert (refused.reason, refused.value, refused.headers) == (DeadLetterReason.TOO_LARGE, None, ())
    assert refused.serialized_value_size == length
    assert refused.value_sha256 == sha256(b"v" if length == 1 else bytes(max(0, length))).hexdigest()
    assert len(refused.key) <= 64 * 1024
    assert "the limit is" in refused.sentence
    assert len(found[2].headers) == MAX_HEADERS


def test_a_batch_of_too_many_records_is_not_opened() -> None:
    one = record(0, None, None)
    assert offsets(read(batch([one] * MAX_RECORDS, codec="zstd"))[0]) == [(0, True)]
    raw = batch([one] * (MAX_RECORDS + 1), codec="zstd")
    (refused,), position = read(raw)
    assert (refused.reason, refused.value, position) == (DeadLetterReason.UNREADABLE_BATCH, raw, MAX_RECORDS + 1)
    assert f"it has {MAX_RECORDS + 1} records; the limit is {MAX_RECORDS}" in refused.sentence


HELD = {
    "too large": [batch([record(0, b"k", bytes(2 * 1024 * 1024))], codec="zstd", first=at) for at in range(40)],
    "as large as may be": [batch([largest(0)], codec="zstd", first=at) for at in range(40)],
    "as many headers as may be": [
        batch([record(0, b"k", b"v", [(b"", None)] * MAX_HEADERS)], codec="zstd", first=at) for at in range(40)
    ],
    "no batches": [batch([BOMB], codec="zstd", first=at) for at in range(40)],
}


@pytest.mark.parametrize("name", HELD)
async def test_a_poll_takes_few_large_records(name: str) -> None:
    raw = HELD[name]
    assert sum(map(len, raw)) < 256 * 1024, "one fetch of one partition holds all"
    partitions = [fetched(raw) for _ in range(2)]

    async def drain(*_: TopicPartition) -> Any:
        return {at: one.getall(100) for at, one in enumerate(partitions) if one.has_more()}

    poll = limited(drain)
    offsets_read: dict[Any, list[int]] = {0: [], 1: []}
    while any(one.has_more() for one in partitions):
        found: dict[Any, list[Any]] = await poll()
        records = [each for some in found.values() for each in some]
        held = sum(len(each.value or b"") + 100 * len(each.headers) for each in records)
        assert held <= MAX_POLL_BYTES + MAX_RECORD_BYTES
        for at, some in found.items():
            offsets_read[at] += [each.offset for each in some]
    assert list(offsets_read.values()) == [list(range(40))] * 2, "each once, in order"


def fetched(raw: Sequence[bytes]) -> FetchResult:
    """What the client keeps of a fetch response of one partition that is assigned."""
    made = PartitionRecords(PLACE, FetchedBatches(b"".join(raw)), (), 0, None, None, True, fetcher.READ_COMMITTED)
    state = SimpleNamespace(paused=False, position=0)
    state.consumed_to = lambda position: setattr(state, "position", position)
    assignment = SimpleNamespace(active=True, state_value=lambda _: state)
    return FetchResult(PLACE, assignment=assignment, partition_records=made, backoff=0)


BAD = {
    "no such codec": batch([record(0, b"k", b"v")], number=5, first=3),
    "codec 7": batch([record(0, b"k", b"v")], number=7, first=3),
    "not what its codec makes": batch([record(0, b"k", b"v")], codec="zstd", packed=b"nonsense", first=3),
    "cut": batch([], codec="gzip", packed=b"\x1f\x8b\x08", count=1, first=3),
    "snappy of the wrong length": batch([], codec="snappy", packed=b"\xff\xff\xff\xff\x0f", count=1, first=3),
    "a xerial block that is longer than all": batch(
        [], codec="xerial", packed=b"\x82SNAPPY\x00" + b"\0\0\0\1" * 2 + b"\x7f\0\0\0", count=1, first=3
    ),
    "an empty xerial block": batch(
        [], codec="xerial", packed=b"\x82SNAPPY\x00" + b"\0\0\0\1" * 2 + b"\0\0\0\0", count=1, first=3
    ),
    "a wrong checksum": good(3, crc=1),
    "the format of long ago": good(3, magic=1),
    "a format to come": good(3, magic=3),
    "fewer records than it says": good(3, count=3, last=0),
    "a record that is longer than its batch": batch([b"\x7e" + record(0, b"k", b"v")[1:]], first=3),
    "noise": batch([random.Random(2).randbytes(300)], first=3),
    "shorter than its own head": good(3)[:8] + b"\0\0\0\x05" + b"\0" * 5,
    "a length of nothing": good(3)[:8] + b"\0\0\0\0",
}


@pytest.mark.parametrize("name", BAD)
def test_an_unreadable_batch_keeps_its_place(name: str) -> None:
    found, position = read(good(2), BAD[name], good(4))
    kinds = offsets(found)
    assert (kinds[0], kinds[-1], position) == ((2, True), (4, True), 5)
    (unread,) = [one for one in found if isinstance(one, UnreadableRecord)]
    assert (unread.reason, unread.value, unread.offset) == (DeadLetterReason.UNREADABLE_BATCH, BAD[name], 3)
    assert unread.sentence.startswith("the batch of offsets 3 to 3 can't be read: ")


@pytest.mark.parametrize("last", [-1, -5, -(2**31)])
def test_a_batch_that_says_it_ends_before_it_begins_is_stepped_over(last: int) -> None:
    assert read(batch([], count=0, last=last, first=3), position=3) == ([], 4)
    found, position = read(good(3, last=last, crc=0), position=3)
    assert (offsets(found), position) == ([(3, False)], 4)


@pytest.mark.parametrize("codec", ALL_CODECS)
@pytest.mark.parametrize("bad", [{0}, {1}, {0, 1}, {2, 3}, {0, 1, 2, 3}])
def test_a_header_name_not_in_utf8_refuses_its_record(codec: str, bad: set[int]) -> None:
    names = [b"\xff" if at in bad else b"n" for at in range(4)]
    found, position = read(
        batch([record(at, b"k", b"v", [(name, b"x")]) for at, name in enumerate(names)], codec=codec)
    )
    assert offsets(found) == [(at, at not in bad) for at in range(4)]
    assert position == 4
    for one in found:
        assert (one.key, one.value) == (b"k", b"v")
        if isinstance(one, UnreadableRecord):
            assert one.reason is DeadLetterReason.NOT_CLOUDEVENT
            assert one.headers == (("\\xff", b"x"),)
            assert "the name of a header is not UTF-8" in one.sentence


def test_a_poll_that_takes_few_records_goes_on_where_it_stopped() -> None:
    records = [record(at, b"k", b"v", [(b"\xff" if at % 2 else b"n", b"x")]) for at in range(6)]
    raw = batch(records, codec="lz4")
    for position in range(6):
        assert offsets(read(raw, position=position)[0]) == [(at, not at % 2) for at in range(position, 6)]


def test_an_aborted_transaction_is_stepped_over() -> None:
    transactional, control = 0x10, 0x30
    mark = batch([record(0, b"\0\0\0\0", b"\0\0\0\0\0\0")], attributes=control, producer=9, first=2)
    aborted = batch([record(0, b"k", b"aborted")] * 1, attributes=transactional, producer=9, first=1)
    other = batch([record(0, b"k", b"of another")], attributes=transactional, producer=8, first=3)
    later = batch([record(0, b"k", b"later")], attributes=transactional, producer=9, first=4)
    found, position = read(good(0), aborted, mark, other, later, aborted=[(9, 1)])
    assert [(one.offset, one.value) for one in found] == [(0, b"v"), (3, b"of another"), (4, b"later")]
    assert position == 5
    assert read(mark, position=2) == ([], 3)


def test_a_batch_that_came_in_part_is_left_for_the_next_fetch() -> None:
    whole = good(0)
    assert offsets(read(whole + good(1)[:-1])[0]) == [(0, True)]
    cut = FetchedBatches(whole[:-1])
    assert (cut.has_next(), cut.size_in_bytes()) == (False, 0), "the client would step over what it takes for too large"


def test_bytes_by_chance_never_raise_and_never_go_back() -> None:
    chance = random.Random(3)
    for _ in range(3000):
        codec = chance.choice(ALL_CODECS)
        raw = bytearray(batch([record(at, b"k", b"v" * 20, [(b"n", b"x")]) for at in range(3)], codec=codec))
        for _ in range(chance.randint(1, 4)):
            raw[chance.randrange(12, len(raw))] = chance.randrange(256)
        rest = bytes(raw[21:])
        whole = bytes(raw[:17]) + struct.pack(">I", calc_crc32c(rest)) + rest
        found, position = read(whole)
        assert position >= 1
        assert all(isinstance(one, kafka.Record) for one in found)
