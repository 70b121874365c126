"""Today's date in the United Kingdom."""

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

LONDON: Final = ZoneInfo("Europe/London")


def today(fixed: date | None) -> date:
    """Return the day as of which plans are assessed: a fixed one, or today in the United Kingdom."""
    return fixed or datetime.now(LONDON).date()


def day_of(at: datetime) -> date:
    """Return the day in the United Kingdom at a moment: an authority's pause begins and ends with it."""
    return at.astimezone(LONDON).date()
