"""Reads the options that are days."""

import re
from datetime import datetime, time
from typing import Final

from services.domain.entered_days import YearError, entered_iso_day

DAY: Final = "YYYY-MM-DD"
"""How the help names such an option's value."""


def read_day(text: str) -> datetime:
    """The day's first moment. Raises ValueError with a sentence for the person at the terminal."""
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return datetime.combine(entered_iso_day(text), time())
    except YearError as error:
        raise ValueError(f"{text!r} can't be used: {error}.") from None
    except ValueError:
        pass
    raise ValueError(f"{text!r} is not a day; expected {DAY}.")
