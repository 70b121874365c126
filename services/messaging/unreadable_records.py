"""What stands for a record that no handler can take: its consumer refuses it, and its offset moves on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRecord

from events.dead_letters import DeadLetterReason


class UnreadableRecordError(Exception):
    """The reason for refusing an `UnreadableRecord`."""

    def __init__(self, record: "UnreadableRecord") -> None:
        super().__init__(record.sentence)
        self.reason = record.reason


@dataclass
class UnreadableRecord(ConsumerRecord):  # type: ignore[misc]
    """Stands for a record that is unreadable or too large, or for a whole unreadable batch.

    For a batch, `value` holds its bytes as fetched. `offset` is that of its last record, so that the consumer goes on
    after the batch. Of a record that is too large, only the value's length and hash are kept.
    """

    reason: DeadLetterReason = DeadLetterReason.UNREADABLE_BATCH
    sentence: str = ""
    value_sha256: str | None = None
    """The hash of a value that is not kept."""


def readable(records: Sequence[Any]) -> list[Any]:
    """Return the records without any `UnreadableRecord`."""
    return [record for record in records if not isinstance(record, UnreadableRecord)]
