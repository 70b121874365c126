"""Reads the record batches of a fetch response, so that no record of a producer can stop a poll.

aiokafka decompresses a whole batch, however large, and raises an error if it can't read one; the next poll raises it
again. This reader decompresses up to a limit, and replaces records that are unreadable or too large by an
`UnreadableRecord`. The consumer refuses it like any other record, and its offsets move on.

`install` replaces the client's reader; nothing else in the code does.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import cramjam
import numpy as np
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch

from services.messaging.poll_limits import FetchResult
from services.messaging.record_parser import HEADER, read_leniently, within_limits
from services.messaging.unreadable_records import UnreadableRecord

MAX_BATCH_BYTES: Final = 16 * 1024 * 1024
"""The maximum size of one batch after decompression."""
MAX_RECORDS: Final = 50_000
"""The maximum number of records in one batch. A million empty ones fit into 16 MiB, and each becomes a dead letter."""

_LENGTH: Final = struct.Struct(">qi")
_ATTRIBUTES_AT: Final = 21
_CODEC: Final = 0x07
_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES: Final = 16


class UnreadableBatchError(Exception):
    """A batch can't be opened; the message says why."""


class FetchedBatches:
    """The bytes of one partition in a fetch response, split into batches. An incomplete last batch is left out."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def size_in_bytes(self) -> int:
        """Return 0 if no batch is complete. The client would otherwise skip it, and lose it."""
        return len(self._data) if self.has_next() or self._position else 0

    def has_next(self) -> bool:
        """Return whether another complete batch follows."""
        return self._end() is not None

    def next_raw(self) -> bytes:
        """Return the next batch's bytes. Call `has_next` first."""
        end = self._end()
        assert end is not None
        start, self._position = self._position, end
        return self._data[start:end]

    def _end(self) -> int | None:
        if len(self._data) - self._position < _LENGTH.size:
            return None
        _, length = _LENGTH.unpack_from(self._data, self._position)
        end = self._position + _LENGTH.size + max(0, length)
        return end if end <= len(self._data) else None


class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one partition, each once and in order. No bytes can make it raise an error."""

    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[Any]:
        while self._records.has_next():
            raw = self._records.next_raw()
            first, _ = _LENGTH.unpack_from(raw)
            try:
                yield from self._of_batch(raw)
            except Exception as error:  # whatever the error, the partition must go on
                behind = max(self.next_fetch_offset, first + 1, _next_offset(raw))
                self.next_fetch_offset = behind
                yield _unreadable_batch(self._tp, raw, behind - 1, error)
            else:
                self.next_fetch_offset = max(self.next_fetch_offset, first + 1, _next_offset(raw))

    def _of_batch(self, raw: bytes) -> Iterator[Any]:
        batch = self._opened(raw)
        if batch is None:
            return
        if within_limits(batch):
            with suppress(Exception):
                yield from self._by_client(batch)
                return
        # A record is too large, or most likely a header name is not UTF-8. The client then returns no record at all;
        # this parser returns the others.
        for made in read_leniently(self._tp, batch):
            if made.offset >= self.next_fetch_offset:
                self.next_fetch_offset = made.offset + 1
                yield made

    def _by_client(self, batch: bytes) -> Iterator[Any]:
        for record in DefaultRecordBatch(batch):
            if record.offset >= self.next_fetch_offset:
                made = self._consumer_record(self._tp, record)
                self.next_fetch_offset = record.offset + 1
                yield made

    def _opened(self, raw: bytes) -> bytes | None:
        """Return the batch without compression, or None if it holds no records for a consumer. Raises
        UnreadableBatchError."""
        if len(raw) < HEADER.size or raw[16] != 2:
            raise UnreadableBatchError("it is not of the message format that Kafka has had since 0.11")
        batch = DefaultRecordBatch(raw)
        if not batch.validate_crc():
            raise UnreadableBatchError("its checksum is wrong")
        if batch.is_control_batch:
            # The client drops aborted records, by the broker's list and these markers.
            self._consume_aborted_up_to(batch.base_offset)
            if self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            return None
        if batch.is_transactional and self._isolation_level == fetcher.READ_COMMITTED:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.producer_id in self._aborted_producers:
                return None
        if (count := HEADER.unpack_from(raw)[-1]) > MAX_RECORDS:
            raise UnreadableBatchError(f"it has {count} records; the limit is {MAX_RECORDS}; publish fewer at once")
        return decompressed(raw)


_REPLACED: Final = {"MemoryRecords": FetchedBatches, "PartitionRecords": PartitionRecords, "FetchResult": FetchResult}


def install() -> None:
    """Make every consumer of this process read with these classes. Repeatable."""
    for name, ours in _REPLACED.items():
        if not hasattr(fetcher, name):
            raise RuntimeError(f"aiokafka has no {name} any more; services/messaging/record_batches.py has to follow")
        setattr(fetcher, name, ours)


def decompressed(raw: bytes) -> bytes:
    """Decompress a batch (format 2). Raises UnreadableBatchError if it is invalid or exceeds the limit."""
    attributes = raw[_ATTRIBUTES_AT + 1]
    codec = attributes & _CODEC
    if not codec:
        return raw
    if codec not in _CODECS:
        raise UnreadableBatchError(f"its compression has the number {codec}, which Kafka does not know")
    name, decompress_into = _CODECS[codec]
    out = np.empty(MAX_BATCH_BYTES, np.uint8).data  # the operating system allocates these pages as they are written
    try:
        size = decompress_into(raw[HEADER.size :], out)
    except cramjam.DecompressionError as error:
        if "failed to write whole buffer" in str(error):
            raise UnreadableBatchError(
                f"it has more than {MAX_BATCH_BYTES} bytes without its {name} compression; publish fewer at once"
            ) from None
        raise UnreadableBatchError(f"its {name} compression can't be undone: {error}") from None
    head = bytearray(raw[: HEADER.size])
    head[_ATTRIBUTES_AT + 1] = attributes & ~_CODEC
    return b"".join((head, out[:size]))


def _next_offset(raw: bytes) -> int:
    if len(raw) < HEADER.size:
        return 0
    first, _, _, _, _, _, last_delta, *_ = HEADER.unpack_from(raw)
    return int(first + last_delta + 1)


def _unreadable_batch(tp: TopicPartition, raw: bytes, last: int, error: Exception) -> UnreadableRecord:
    first, _ = _LENGTH.unpack_from(raw)
    why = (
        str(error) if isinstance(error, UnreadableBatchError) else f"reading it raised {type(error).__name__}: {error}"
    )
    sentence = f"the batch of offsets {first} to {last} can't be read: {why}"
    return UnreadableRecord(
        tp.topic, tp.partition, last, -1, 0, None, raw, None, -1, len(raw), (), sentence=sentence[:1000]
    )


def _snappy_into(data: bytes, room: memoryview) -> int:
    """Raw snappy, or the framing that Java's clients put around blocks of it."""
    if not data.startswith(_XERIAL):
        return _snappy_block_into(data, room)
    position, size = _XERIAL_HEADER_BYTES, 0
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        position += 4
        if length == 0 or position + length > len(data):
            raise cramjam.DecompressionError("a block is longer than the data")
        size += _snappy_block_into(data[position : position + length], room[size:])
        position += length
    return size


def _snappy_block_into(data: bytes, room: memoryview) -> int:
    length = cramjam.snappy.decompress_raw_len(data)
    if length > len(room):
        raise cramjam.DecompressionError("failed to write whole buffer")
    return int(cramjam.snappy.decompress_raw_into(data, room[:length])) if length else 0


_CODECS: Final[dict[int, tuple[str, Callable[[bytes, memoryview], int]]]] = {
    1: ("gzip", cramjam.gzip.decompress_into),
    2: ("snappy", _snappy_into),
    3: ("lz4", cramjam.lz4.decompress_into),
    4: ("zstd", cramjam.zstd.decompress_into),
}
