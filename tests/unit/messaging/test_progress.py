"""How long the oldest record not handled has waited, on a clock that the test moves."""

from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from services.messaging.progress import MAX_ENDS, ConsumerProgress

ONE, TWO = TopicPartition("t", 0), TopicPartition("t", 1)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def made(*partitions: TopicPartition) -> tuple[ConsumerProgress, Clock]:
    clock = Clock()
    progress = ConsumerProgress(clock)
    progress.assign(partitions or [ONE])
    return progress, clock


def records(first: int, last: int) -> list[Any]:
    return [SimpleNamespace(offset=offset) for offset in range(first, last + 1)]


def test_where_nothing_waits_the_age_is_nothing() -> None:
    progress, clock = made()
    progress.observe(ONE, 0, 0)
    clock.now = 500
    progress.observe(ONE, 0, 0)
    assert (progress.waiting(), progress.lag(), progress.standing()) == ({ONE: 0.0}, 0, {})


def test_the_age_is_that_of_the_oldest_end_not_reached() -> None:
    progress, clock = made()
    for now, end in ((10, 5), (20, 8), (30, 9)):
        clock.now = now
        progress.observe(ONE, end, 0)
    assert (progress.waiting()[ONE], progress.lag()) == (20, 9)
    progress.read({ONE: records(0, 8)})
    progress.handle({ONE: 5})
    assert (progress.waiting()[ONE], progress.lag()) == (10, 4)
    progress.handle({ONE: 9})
    assert (progress.waiting()[ONE], progress.lag()) == (0, 0)


def test_a_busy_partition_that_keeps_up_has_no_age() -> None:
    progress, clock = made()
    for second in range(1000):
        clock.now = second
        progress.observe(ONE, second + 1, second)
        progress.read({ONE: records(second, second)})
        assert progress.waiting()[ONE] == 0
        progress.handle({ONE: second + 1})


def test_records_read_but_not_handled_are_not_done() -> None:
    progress, clock = made()
    progress.read({ONE: records(0, 4)})
    progress.observe(ONE, 5, 5)
    clock.now = 60
    assert (progress.waiting()[ONE], progress.lag(), progress.passed({ONE: 5})) == (60, 5, {})


def test_marks_of_transactions_leave_no_lag_and_are_committed() -> None:
    progress, clock = made()
    progress.read({ONE: records(0, 4)})
    progress.observe(ONE, 6, 5)
    progress.handle({ONE: 5})
    clock.now = 60
    assert progress.lag() == 1
    progress.observe(ONE, 6, 6)
    assert (progress.waiting()[ONE], progress.lag(), progress.passed({ONE: 6})) == (0, 0, {ONE: 6})
    progress.handle({ONE: 6})
    assert progress.passed({ONE: 6}) == {}


def test_what_was_handled_by_an_earlier_member_does_not_wait() -> None:
    progress, clock = made()
    progress.observe(ONE, 500, None)
    clock.now = 5
    progress.observe(ONE, 500, 500)
    assert (progress.waiting()[ONE], progress.lag()) == (0, 0)


def test_a_partition_that_stands_is_seen_beside_one_that_works() -> None:
    progress, clock = made(ONE, TWO)
    for second in range(0, 200, 5):
        clock.now = second
        progress.observe(ONE, 10, 4)
        progress.observe(TWO, second + 1, second)
        progress.read({TWO: records(second, second)})
        progress.handle({TWO: second + 1})
    assert progress.standing() == {ONE: 195}
    assert clock.now - progress.moved_at == 0


def test_a_backlog_that_is_worked_off_is_old_and_does_not_stand() -> None:
    progress, clock = made()
    progress.observe(ONE, 1000, 0)
    for second in range(1, 300):
        clock.now = second
        progress.read({ONE: records(second, second)})
        progress.handle({ONE: second + 1})
        progress.observe(ONE, 1000, second + 1)
    assert progress.waiting()[ONE] == 299
    assert progress.standing() == {ONE: 0}


def test_a_new_assignment_begins_anew() -> None:
    progress, clock = made()
    progress.observe(ONE, 10, 0)
    clock.now = 100
    progress.assign([TWO])
    progress.handle({ONE: 5})
    progress.observe(ONE, 20, 5)
    assert (progress.waiting(), progress.lag()) == ({TWO: 0.0}, 0)


def test_a_moving_end_takes_little_memory() -> None:
    progress, clock = made()
    for second in range(20_000):
        clock.now = second
        progress.observe(ONE, second + 1, 0)
    assert progress.waiting()[ONE] == 19_999
    assert len(progress._partitions[ONE].ends) <= MAX_ENDS
    assert progress.lag() == 20_000
