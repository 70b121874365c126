"""When: the weekly digest, the waits between attempts, and the limits on how often anybody is written to. Pure."""

from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

LONDON: Final = ZoneInfo("Europe/London")
DIGEST_HOUR: Final = time(8, 0)

IMMEDIATE_PER_WEEK: Final = 3
"""Most immediate emails to one authority in seven days; what is over waits for the digest."""
MAX_ITEMS_IN_FULL: Final = 10
MAX_ITEMS_IN_A_LINE: Final = 90
"""What one email tells in full and, beyond that, in a line each; the rest goes into another mail."""

FIRST_BACKOFF: Final = timedelta(seconds=30)
MAX_BACKOFF: Final = timedelta(hours=1)
GIVE_UP_AFTER: Final = timedelta(days=3)
"""A mail server may be away over a weekend; an email it has not taken by then is given up."""

LOOK_AGAIN: Final = timedelta(days=1)
"""After so long the register is asked once more for a partner that it did not have."""

SEND_TIMEOUT: Final = timedelta(seconds=120)
LEASE: Final = timedelta(seconds=300)
"""Well over SEND_TIMEOUT: a lease runs out only where the sender is gone."""


def next_digest(after: datetime, *, later: int = 0) -> datetime:
    """The first Monday 08:00 in London later than `after`, or one so many weeks `later`; in the zone of `after`."""
    local = after.astimezone(LONDON)
    day = local.date() + timedelta(days=(7 - local.weekday()) % 7)
    if datetime.combine(day, DIGEST_HOUR, LONDON) <= local:
        day += timedelta(days=7)
    return datetime.combine(day + timedelta(weeks=later), DIGEST_HOUR, LONDON).astimezone(after.tzinfo)


def backoff(attempts: int, chance: float) -> timedelta:
    """How long to wait after the nth failed attempt: doubling from 30 seconds to an hour, half of it by
    `chance` (0 to 1), so that many emails do not come back at one moment."""
    longest = min(MAX_BACKOFF, FIRST_BACKOFF * 2.0 ** min(max(attempts, 1) - 1, 12))
    return longest * (0.5 + chance / 2)
