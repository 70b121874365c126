"""A consumer's progress on each of its partitions, and the waiting time of its oldest unhandled record.

The waiting time counts from the moment when this process first saw an end offset that it has not reached. No producer
can falsify it, unlike a record's timestamp. It starts at zero when the partition is assigned to the process.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aiokafka import TopicPartition

MAX_ENDS: Final = 512
"""The maximum number of ends remembered per partition. Above it, every second one is dropped."""


@dataclass
class _Partition:
    since: float
    """When the partition last made progress, or had nothing to do."""
    read: int = -1
    """The offset after the last record polled; -1 if none was."""
    handled: int = -1
    """The offset after the last record handled; before that, the offset of the first one read."""
    reached: int = -1
    """The offset below which everything is done; -1 while unknown."""
    ends: deque[tuple[float, int]] = field(default_factory=deque)
    """End offsets not yet reached, each with the time when it was first seen."""


class ConsumerProgress:
    """Offsets of the assigned partitions. Times are seconds of `clock`."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._partitions: dict[TopicPartition, _Partition] = {}
        self.moved_at = clock()
        """When any partition last made progress, or none had anything to do."""

    def assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Start again with these partitions. Ages go on for those that were assigned before: a rebalance handles
        nothing, and members that come and go would otherwise hide that nobody does."""
        now = self._clock()
        before, self._partitions = self._partitions, {}
        for partition in partitions:
            known = before.get(partition) or _Partition(now)
            self._partitions[partition] = replace(known, read=-1, handled=-1)
        if not any(one.ends for one in self._partitions.values()):
            self.moved_at = now

    def read(self, found: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Record the result of a poll."""
        for tp, records in found.items():
            if records and (partition := self._partitions.get(tp)) is not None:
                partition.read = records[-1].offset + 1
                if partition.handled < 0:
                    partition.handled = records[0].offset

    def handle(self, done: Mapping[TopicPartition, int]) -> None:
        """Record that all records below these offsets are handled."""
        for tp, offset in done.items():
            if (partition := self._partitions.get(tp)) is not None:
                partition.handled = offset
                self._reach(partition, offset)

    def observe(self, tp: TopicPartition, end: int, position: int | None) -> None:
        """Record the partition's end offset, and the `position` of the next poll; None if unknown.

        Once every record read is handled, the position counts as reached. It also passes offsets without records, such
        as transaction markers.
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
        """Count the offsets between the handled records and the latest known ends."""
        return sum(one.ends[-1][1] - max(0, one.reached) for one in self._partitions.values() if one.ends)

    def waiting(self) -> dict[TopicPartition, float]:
        """Return the waiting time of each partition's oldest unhandled record; 0 if none waits."""
        now = self._clock()
        return {tp: now - one.ends[0][0] if one.ends else 0.0 for tp, one in self._partitions.items()}

    def standing(self) -> dict[TopicPartition, float]:
        """Return how long each partition with waiting records has made no progress."""
        now = self._clock()
        return {tp: now - max(one.since, one.ends[0][0]) for tp, one in self._partitions.items() if one.ends}

    def passed(self, positions: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Return positions past offsets without records, which no batch will commit."""
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
