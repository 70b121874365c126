"""Mondays, summer time and waits."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.notification_schedule import (
    FIRST_BACKOFF,
    LEASE,
    LONDON,
    MAX_BACKOFF,
    SEND_TIMEOUT,
    backoff,
    next_digest,
)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-11-22T12:00", "2026-11-23T08:00"),
        ("2026-11-23T07:59", "2026-11-23T08:00"),
        ("2026-11-23T08:00", "2026-11-30T08:00"),
        ("2026-11-24T00:00", "2026-11-30T08:00"),
        # British Summer Time: eight in London is seven in UTC
        ("2026-07-06T06:59", "2026-07-06T07:00"),
        ("2026-07-06T07:00", "2026-07-13T07:00"),
        # across the clocks going back on 25 October 2026 and forward on 28 March 2027
        ("2026-10-24T12:00", "2026-10-26T08:00"),
        ("2027-03-27T12:00", "2027-03-29T07:00"),
        ("2026-12-31T12:00", "2027-01-04T08:00"),
    ],
)
def test_next_digest(after: str, expected: str) -> None:
    assert next_digest(datetime.fromisoformat(after).replace(tzinfo=UTC)) == datetime.fromisoformat(expected).replace(
        tzinfo=UTC
    )


@given(st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_digest_is_always_a_later_monday_at_eight_in_london(after: datetime) -> None:
    due = next_digest(after).astimezone(LONDON)
    assert (due.weekday(), due.hour, due.minute) == (0, 8, 0)
    assert timedelta(0) < due - after <= timedelta(days=7, hours=1)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_waits_are_bounded_and_never_short(attempts: int, chance: float) -> None:
    assert FIRST_BACKOFF / 2 <= backoff(attempts, chance) <= MAX_BACKOFF
    assert backoff(attempts, 1) <= backoff(attempts + 1, 1)


def test_a_lease_outlives_every_send() -> None:
    assert LEASE > 2 * SEND_TIMEOUT
