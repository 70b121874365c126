"""The time, and today's date in the United Kingdom. Whatever in the services asks for either asks here."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

LONDON: Final = ZoneInfo("Europe/London")


def system_time() -> datetime:
    """Return the system's time in UTC."""
    return datetime.now(UTC)


@dataclass
class Clock:
    """Where a process has its time from. A rehearsal of other days replaces `read` before anything starts."""

    read: Callable[[], datetime] = system_time


CLOCK: Final = Clock()


def now() -> datetime:
    """Return the current time in UTC, for records of when something happened. Assess plans by `as_of`, never by
    this."""
    return CLOCK.read()


def today(fixed: date | None) -> date:
    """Return the day as of which plans are assessed: a fixed one, or today in the United Kingdom."""
    return fixed or day_of(now())


def day_of(at: datetime) -> date:
    """Return the day in the United Kingdom at a moment: an authority's pause begins and ends with it."""
    return at.astimezone(LONDON).date()
