"""Limits the bytes of one poll, over all partitions. The client itself limits only the number of records.

A megabyte of one repeated byte is less than a hundred bytes by zstd, so a small fetch can hold gigabytes of records.
They are decompressed as a poll takes them, and this is where the poll stops.
"""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer import fetcher

from services.messaging.record_parser import MAX_RECORD_BYTES
from services.messaging.unreadable_records import UnreadableRecord

Poll = Callable[..., Awaitable[dict[TopicPartition, list[Any]]]]

MAX_POLL_BYTES: Final = 8 * 1024 * 1024
"""One poll takes no further record once it has this many bytes."""
_RECORD_BYTES: Final = 500
_HEADER_BYTES: Final = 100
"""About what a record, and each of its headers, takes in memory beside its bytes."""


class _Allowance:
    """The bytes that the poll of this task may still take."""

    def __init__(self) -> None:
        self.left = MAX_POLL_BYTES


_ALLOWANCE: Final[ContextVar[_Allowance]] = ContextVar("poll_allowance")


class FetchResult(fetcher.FetchResult):  # type: ignore[misc]
    """The records of one partition. A poll takes them until it has its number of records, or of bytes."""

    def getall(self, max_records: int | None = None) -> list[ConsumerRecord]:
        """Return the next records, in order; the others stay for the next poll."""
        allowance = _ALLOWANCE.get(None) or _Allowance()
        taken: list[ConsumerRecord] = []
        while allowance.left > 0 and (max_records is None or len(taken) < max_records):
            found = super().getall(1)
            if not found:
                break
            taken += found
            allowance.left -= size_of(found[0])
        return taken


def limited(poll: Poll) -> Poll:
    """Wrap the consumer's poll, so that one call takes at most about MAX_POLL_BYTES over all partitions."""

    async def getmany(*partitions: TopicPartition, **options: Any) -> dict[TopicPartition, list[Any]]:
        _ALLOWANCE.set(_Allowance())
        return await poll(*partitions, **options)

    return getmany


def size_of(record: ConsumerRecord) -> int:
    """Return about how many bytes a record takes.

    An unreadable one counts as the largest: it holds little, but finding that out took up to 16 MiB and 20 ms.
    """
    if isinstance(record, UnreadableRecord):
        return MAX_RECORD_BYTES
    size: int = max(0, record.serialized_key_size) + max(0, record.serialized_value_size) + _RECORD_BYTES
    return size + sum(_HEADER_BYTES + len(name) + len(content or b"") for name, content in record.headers)
