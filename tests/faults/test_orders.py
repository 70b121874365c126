"""A few seeds of I6 in every run of the tests; a thousand by `python -m tests.faults.orders --seeds 1000`."""

from tests.faults import orders


async def test_two_replays_in_different_orders_end_in_the_same_digest(database_url: str) -> None:
    found = await orders.run(database_url, range(1, 9))
    assert [item.seed for item in found if not item.ok] == []
    assert sum(item.digests["rebuilt"].pairs for item in found) > 40
