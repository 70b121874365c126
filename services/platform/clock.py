"""Which day it is, where it matters that councils are in the United Kingdom."""

from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

LONDON: Final = ZoneInfo("Europe/London")


def today(fixed: date | None) -> date:
    """The day as of which plans are judged: a fixed one, or today in the United Kingdom."""
    return fixed or datetime.now(LONDON).date()
