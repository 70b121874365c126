"""How far a consumer has come on each of its partitions, and how long the oldest record it has not handled waits.

The age is what this process has seen: since when the broker has named an end that is not reached. Nobody who writes
records can falsify it, unlike a record's own timestamp. A process that starts begins anew.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import TopicPartition

MAX_ENDS: Final = 512
"""How many ends are remembered of a partition; of more, every second one is forgotten."""


@dataclass
class _Partition:
    since: float
    """When it last came further, or had nothing to do."""
    read: int = -1
    """The offset behind the last record that a poll gave; -1 where none did."""
    handled: int = -1
    """The offset behind the last record handled; where none was, that of the first one read."""
    reached: int = -1
    """The offset below which nothing is left to do; -1 where it is not known yet."""
    ends: deque[tuple[float, int]] = field(default_factory=deque)
    """Ends of the partition that are not reached, each with the time when it was first seen."""


class Progress:
    """Offsets of the partitions held. Times are those of `clock`, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._partitions: dict[TopicPartition, _Partition] = {}
        self.moved_at = clock()
        """When any partition last came further, or none had anything to do."""

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Begins anew with these partitions."""
        now = self.moved_at = self._clock()
        self._partitions = {partition: _Partition(now) for partition in partitions}

    def read(self, found: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """A poll gave these records."""
        for tp, records in found.items():
            if records and (partition := self._partitions.get(tp)) is not None:
                partition.read = records[-1].offset + 1
                if partition.handled < 0:
                    partition.handled = records[0].offset

    def handle(self, done: Mapping[TopicPartition, int]) -> None:
        """All records below these offsets are handled."""
        for tp, offset in done.items():
            if (partition := self._partitions.get(tp)) is not None:
                partition.handled = offset
                self._reach(partition, offset)

    def observe(self, tp: TopicPartition, end: int, position: int | None) -> None:
        """The broker has named the partition's end; a poll would go on at `position`, None where that is not known.

        Where all that was read is handled the position counts: it also stands behind what is no record for anybody,
        such as the marks of transactions.
        """
        if (partition := self._partitions.get(tp)) is None:
            return
        if self._all_handled(partition) and position is not None:
            self._reach(partition, position)
        if end > (partition.ends[-1][1] if partition.ends else max(0, partition.reached)):
            partition.ends.append((self._clock(), end))
        if len(partition.ends) > MAX_ENDS:
            partition.ends = deque(list(partition.ends)[::2])
        if not partition.ends:
            partition.since = self._clock()
        if not any(other.ends for other in self._partitions.values()):
            self.moved_at = self._clock()

    def lag(self) -> int:
        """How many offsets are between what is handled and the ends that were last seen."""
        return sum(one.ends[-1][1] - max(0, one.reached) for one in self._partitions.values() if one.ends)

    def waiting(self) -> dict[TopicPartition, float]:
        """For how long the oldest record not handled has waited; 0 where none waits."""
        now = self._clock()
        return {tp: now - one.ends[0][0] if one.ends else 0.0 for tp, one in self._partitions.items()}

    def standing(self) -> dict[TopicPartition, float]:
        """For how long each partition on which records wait has come no further."""
        now = self._clock()
        return {tp: now - max(one.since, one.ends[0][0]) for tp, one in self._partitions.items() if one.ends}

    def passed(self, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """The positions that stand behind more than records, so that no batch will commit them."""
        return {
            tp: position
            for tp, position in positions.items()
            if (partition := self._partitions.get(tp)) is not None
            and self._all_handled(partition)
            and position > max(0, partition.handled)
        }

    def _all_handled(self, partition: _Partition) -> bool:
        return partition.read == partition.handled

    def _reach(self, partition: _Partition, offset: int) -> None:
        if offset > partition.reached:
            partition.reached = offset
            partition.since = self.moved_at = self._clock()
        while partition.ends and partition.ends[0][1] <= partition.reached:
            partition.ends.popleft()
