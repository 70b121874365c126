"""Reads the fields of a form. Each invalid field gets one sentence."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from fastapi import Request
from starlette.datastructures import FormData, QueryParams

from services.domain.entered_days import YearError, entered_day

MAX_FIELDS: Final = 60
MAX_LINE: Final = 200
MAX_TEXT: Final = 2000
CODE_DIGITS: Final = 6

DATE_FIELDS: Final = frozenset(
    {
        "as_of",
        "asked_at",
        "awarded_on",
        "contract_end",
        "earliest",
        "ends_from",
        "ends_until",
        "latest",
        "remind",
        "reply_by",
        "until",
    }
)
"""Fields with three parts. An error links to the first one."""

Sent = FormData | QueryParams


async def read_form(request: Request) -> FormData:
    """The form's fields. Files are never taken."""
    return await request.form(max_files=0, max_fields=MAX_FIELDS)


@dataclass(slots=True)
class Form:
    """A form as it was sent, and its errors by field: the page shows both again."""

    sent: Sent
    errors: dict[str, str] = field(default_factory=dict)

    def text(self, name: str, limit: int = MAX_LINE, *, label: str = "") -> str:
        """A text, on one line unless it may be long. With a label it is required."""
        value = self.sent.get(name)
        found = value.strip() if isinstance(value, str) else ""
        if limit == MAX_LINE:
            found = " ".join(found.split())
        if label and not found:
            self.errors[name] = f"Enter {label}"
        if len(found) > limit:
            self.errors[name] = f"Use {limit} characters or fewer"
        return "".join(c for c in found if c.isprintable() or c == "\n")

    def digits(self, name: str, label: str) -> str:
        """A code of six digits, however it was grouped."""
        found = re.sub(r"\D", "", self.text(name, label=label))
        if name not in self.errors and len(found) != CODE_DIGITS:
            self.errors[name] = f"The code has {CODE_DIGITS} digits"
        return found

    def choice(self, name: str, among: Mapping[str, str], problem: str) -> str:
        """Read one of the options. It is an error if none was chosen."""
        value = self.sent.get(name)
        if isinstance(value, str) and value in among:
            return value
        self.errors[name] = problem
        return ""

    def day(self, name: str, label: str) -> date | None:
        """A day from three fields: `name-day`, `name-month`, `name-year`."""
        parts = [self.sent.get(f"{name}-{part}") for part in ("day", "month", "year")]
        digits = [part.strip() if isinstance(part, str) else "" for part in parts]
        if not any(digits):
            self.errors[name] = f"Enter {label}"
            return None
        try:
            number_day, month, year = (int(part) for part in digits)
            return entered_day(year, month, number_day)
        except YearError as error:
            self.errors[name] = f"Enter {label} again: {error}"
            return None
        except ValueError:
            self.errors[name] = f"Enter {label} as numbers, for example 27 3 2027"
            return None

    def optional_day(self, name: str, label: str) -> date | None:
        """A day that may be left out."""
        if any(self.sent.get(f"{name}-{part}") for part in ("day", "month", "year")):
            return self.day(name, label)
        return None

    def span(self, what: str) -> tuple[date, date] | None:
        """Read `earliest` and `latest`, in order; None if both are empty. The error message names them by `what`."""
        earliest = self.day("earliest", f"the first day on which {what}")
        latest = self.day("latest", f"the last day on which {what}")
        if not (earliest and latest):
            return None
        if latest < earliest:
            self.errors["latest"] = "The last day must be the same as or after the first day"
            return None
        return earliest, latest

    def number(self, name: str, least: int, most: int, label: str, *, required: bool = True) -> int | None:
        """Read a whole number; None if the field is empty."""
        text = self.text(name, label=label if required else "")
        if not text or name in self.errors:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 6 and least <= int(text) <= most):
            self.errors[name] = f"Enter {label} as a whole number from {least} to {most}"
            return None
        return int(text)

    @property
    def summary(self) -> list[dict[str, str]]:
        """The errors as the error summary's links."""
        return [
            {"text": text, "href": f"#{name}-day" if name in DATE_FIELDS else f"#{name}"}
            for name, text in self.errors.items()
        ]
