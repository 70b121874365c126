"""Our own parser of the records in an uncompressed batch (format 2), beside the client's.

The client's is faster. It builds every header of a record, though, however many, and gives up a whole batch because of
one header name. So `within_limits` looks at a batch first, and `read_leniently` reads those that the client can't.
"""

import hashlib
import struct
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.record.util import decode_varint

from events import topics
from events.dead_letters import DeadLetterReason
from services.messaging.unreadable_records import UnreadableRecord

MAX_RECORD_BYTES: Final = topics.MAX_BATCH_BYTES
"""The maximum size of one record, with key and headers: the broker takes no larger one without compression."""
MAX_HEADERS: Final = 1000
"""The maximum number of headers of one record. An empty one is two bytes in a batch, and a hundred in memory."""
KEPT_KEY_BYTES: Final = 64 * 1024
"""The maximum length of the key that is kept of a record that is too large."""

HEADER: Final = struct.Struct(">qiibIhiqqqhii")
_LOG_APPEND_TIME: Final = 0x08


class _Frame(NamedTuple):
    """Where the parts of one record are. A length of -1 means null."""

    begin: int
    end: int
    timestamp: int
    offset: int
    key_at: int
    key_length: int
    value_at: int
    value_length: int
    headers_at: int
    headers: int

    @property
    def excess(self) -> str | None:
        """The limit that the record exceeds, as a sentence; None if it exceeds none."""
        if (size := self.end - self.begin) > MAX_RECORD_BYTES:
            return f"the record has {size} bytes; the limit is {MAX_RECORD_BYTES}"
        if self.headers > MAX_HEADERS:
            return f"the record has {self.headers} headers; the limit is {MAX_HEADERS}"
        return None


def within_limits(batch: bytes) -> bool:
    """Return whether no record of the batch is too large, so that the client's parser can read it in little memory."""
    try:
        return all(frame.excess is None for frame in _frames(batch))
    except (IndexError, ValueError):
        return False


def read_leniently(tp: TopicPartition, batch: bytes) -> Iterator[Any]:
    """Read the records of an uncompressed batch. One that is too large becomes an UnreadableRecord, and so does one
    with a header name that is not UTF-8.

    Raises IndexError or ValueError if the bytes hold no records.
    """
    first, _, _, _, _, attributes, _, first_timestamp, max_timestamp, *_ = HEADER.unpack_from(batch)
    appended = bool(attributes & _LOG_APPEND_TIME)
    for frame in _frames(batch):
        timestamp = max_timestamp if appended else first_timestamp + frame.timestamp
        place = (tp.topic, tp.partition, first + frame.offset, timestamp, int(appended))
        yield _record(place, batch, frame) if frame.excess is None else _too_large(place, batch, frame, frame.excess)


def _frames(batch: bytes) -> Iterator[_Frame]:
    *_, count = HEADER.unpack_from(batch)
    position = HEADER.size
    for _ in range(count):
        frame = _frame(batch, position)
        yield frame
        position = frame.end


def _frame(batch: bytes, position: int) -> _Frame:
    length, begin = decode_varint(batch, position)
    end = begin + length
    if not begin <= end <= len(batch):
        raise ValueError("a record is longer than its batch")
    _, position = decode_varint(batch, begin)
    timestamp, position = decode_varint(batch, position)
    offset, position = decode_varint(batch, position)
    key_at, key_length, position = _part(batch, position)
    value_at, value_length, position = _part(batch, position)
    headers, headers_at = decode_varint(batch, position)
    return _Frame(begin, end, timestamp, offset, key_at, key_length, value_at, value_length, headers_at, headers)


def _part(batch: bytes, position: int) -> tuple[int, int, int]:
    """Where a key, a value, or a header's name or content begins, its length, and where the next part begins."""
    length, position = decode_varint(batch, position)
    if position + length > len(batch):
        raise ValueError("a record is longer than its batch")
    return position, length, position + max(0, length)


def _bytes(batch: bytes, at: int, length: int) -> bytes | None:
    return None if length < 0 else batch[at : at + length]


def _record(place: tuple[Any, ...], batch: bytes, frame: _Frame) -> Any:
    headers = _headers(batch, frame)
    key, value = _bytes(batch, frame.key_at, frame.key_length), _bytes(batch, frame.value_at, frame.value_length)
    named: Any = tuple((name.decode(errors="backslashreplace"), content) for name, content in headers)
    sizes = (max(-1, frame.key_length), max(-1, frame.value_length))
    bad = [shown for (shown, _), (name, _) in zip(named, headers, strict=True) if shown.encode() != name]
    if not bad:
        return ConsumerRecord(*place, key, value, None, *sizes, named)
    sentence = f"the name of a header is not UTF-8: {bad[0][:100]}"
    return UnreadableRecord(
        *place, key, value, None, *sizes, named, reason=DeadLetterReason.NOT_CLOUDEVENT, sentence=sentence
    )


def _headers(batch: bytes, frame: _Frame) -> list[tuple[bytes, bytes | None]]:
    headers, position = [], frame.headers_at
    for _ in range(frame.headers):
        name_at, name_length, position = _part(batch, position)
        at, length, position = _part(batch, position)
        headers.append((_bytes(batch, name_at, name_length) or b"", _bytes(batch, at, length)))
    if position != frame.end:
        raise ValueError(f"a record of {frame.end - frame.begin} bytes ends elsewhere")
    return headers


def _too_large(place: tuple[Any, ...], batch: bytes, frame: _Frame, sentence: str) -> UnreadableRecord:
    value = memoryview(batch)[frame.value_at : frame.value_at + max(0, frame.value_length)]
    return UnreadableRecord(
        *place,
        _bytes(batch, frame.key_at, min(frame.key_length, KEPT_KEY_BYTES)),
        None,
        None,
        max(-1, frame.key_length),
        max(-1, frame.value_length),
        (),
        reason=DeadLetterReason.TOO_LARGE,
        sentence=sentence,
        value_sha256=hashlib.sha256(value).hexdigest(),
    )
