"""How long the oldest record not handled has waited, on a clock that the test moves."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from events.topics import NOTICES, PLANS, PLANS_PATTERN
from services.messaging import consumer as consuming
from services.messaging import consumer_health, consumer_metrics, kafka
from services.messaging.progress import MAX_ENDS, ConsumerProgress
from services.platform import metrics
from services.platform.settings import Settings

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


def test_rebalances_hide_no_age_of_a_partition_that_stays() -> None:
    progress, clock = made(ONE, TWO)
    progress.observe(ONE, 5, 0)
    progress.read({ONE: records(0, 4)})
    for minute in range(1, 6):
        clock.now = minute * 60
        progress.assign([ONE])
        progress.observe(ONE, 5, 0)
    assert (progress.waiting(), progress.standing()) == ({ONE: 300.0}, {ONE: 300.0})
    assert clock.now - progress.moved_at == 300, "what loop_advances goes by"
    progress.read({ONE: records(0, 4)})
    progress.handle({ONE: 5})
    assert progress.waiting() == {ONE: 0.0}
    progress.assign([ONE, TWO])
    progress.observe(TWO, 3, 0)
    clock.now += 60
    assert progress.waiting() == {ONE: 0.0, TWO: 60.0}, "one that comes back starts anew"


def test_what_was_read_before_a_rebalance_is_not_handled() -> None:
    progress, _ = made()
    progress.read({ONE: records(0, 4)})
    progress.assign([ONE])
    progress.observe(ONE, 5, 0)
    assert (progress.lag(), progress.passed({ONE: 0})) == (5, {})
    progress.observe(ONE, 5, 5)
    assert progress.lag() == 0


@pytest.mark.parametrize("revoked", [False, True], ids=["never a member", "a member no longer"])
async def test_the_age_grows_while_a_consumer_is_no_member_of_its_group(revoked: bool) -> None:
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:1")
    state = consuming.consume(
        kafka.make_broker(settings, "test"), settings, group="g", handle=nothing, refuse=nothing, pattern=PLANS_PATTERN
    )
    check = consumer_health.has_assignment(state)
    if revoked:
        await state.on_partitions_assigned([])
        assert await check() is None
        await state.on_partitions_revoked([])
    else:
        assert await check() == "not yet a member of the consumer group"
    await asyncio.sleep(0.2)
    await state.on_partitions_revoked([])  # as each attempt to join does
    measuring = asyncio.create_task(consumer_metrics.measure_for_ever(state, "matcher", 60))
    await asyncio.sleep(0.05)
    measuring.cancel()
    for topic in (PLANS.name, NOTICES.name):
        assert metrics.OLDEST_UNHANDLED.labels(topic=topic)._value.get() >= 0.2
        metrics.OLDEST_UNHANDLED.remove(topic)
    assert revoked == (await check() is None)
    state._unassigned_since = (state._unassigned_since or 0) - consumer_health.FROZEN_SECONDS
    said = str(await check())
    assert said.startswith("no longer a member of the consumer group, for 120 s" if revoked else "not yet a member")


def test_readiness_notes_the_waiting_records_of_every_consumer() -> None:
    states = [consuming.ConsumerState(), consuming.ConsumerState()]
    clock = Clock()
    for state, place in zip(states, (ONE, TWO), strict=True):
        state.progress = ConsumerProgress(clock)
        state.progress.assign([place])
    note = consumer_health.oldest_unhandled_note(*states)
    states[1].progress.observe(TWO, 5, 0)
    clock.now = 60
    assert note() == ["the oldest unhandled record has waited: t-1 for 60 s"]


async def nothing(*_: Any) -> None:
    """Handles nothing."""
