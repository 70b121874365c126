"""The weekly digest, the waits between attempts, and the limits on emails to one authority. Pure."""

from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

LONDON: Final = ZoneInfo("Europe/London")
DIGEST_HOUR: Final = time(8, 0)

IMMEDIATE_PER_WEEK: Final = 3
"""Most immediate emails to one authority in seven days; further ones wait for the digest."""
MAX_ITEMS_IN_FULL: Final = 10
MAX_ITEMS_IN_A_LINE: Final = 90
"""Matches that one email shows in full, and beyond that in one line each. The rest go into another email."""

FIRST_BACKOFF: Final = timedelta(seconds=30)
MAX_BACKOFF: Final = timedelta(hours=1)
GIVE_UP_AFTER: Final = timedelta(days=3)
"""A mail server may be down over a weekend; an email that it has not accepted by then is given up."""

LOOK_AGAIN: Final = timedelta(days=1)
"""The wait before the register is asked again for a partner that it did not have."""

SEND_TIMEOUT: Final = timedelta(seconds=120)
LEASE: Final = timedelta(seconds=300)
"""Well over SEND_TIMEOUT: a lease expires only if its sender has died."""


def next_digest(after: datetime, *, later: int = 0) -> datetime:
    """The first Monday 08:00 in London after `after`, or `later` weeks after that; in the time zone of `after`."""
    local = after.astimezone(LONDON)
    day = local.date() + timedelta(days=(7 - local.weekday()) % 7)
    if datetime.combine(day, DIGEST_HOUR, LONDON) <= local:
        day += timedelta(days=7)
    return datetime.combine(day + timedelta(weeks=later), DIGEST_HOUR, LONDON).astimezone(after.tzinfo)


def backoff(attempts: int, chance: float) -> timedelta:
    """The wait after the nth failed attempt: doubling from 30 seconds to an hour.

    Half of it is random: `chance` is 0 to 1. This keeps many emails from being retried at the same moment.
    """
    longest = min(MAX_BACKOFF, FIRST_BACKOFF * 2.0 ** min(max(attempts, 1) - 1, 12))
    return longest * (0.5 + chance / 2)
