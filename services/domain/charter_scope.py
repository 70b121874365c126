"""The scope of the Charter: ICT. Emails about other needs don't mention it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

ICT_DIVISIONS: Final = ("30", "32", "48", "64", "72")
"""The CPV divisions of computers, networks, software, telecommunications and IT services."""


def is_ict(cpv: Iterable[str]) -> bool:
    """Whether one of these CPV codes is of ICT."""
    return any(code[:2] in ICT_DIVISIONS for code in cpv)


def is_about_ict(states: Iterable[Mapping[str, Any] | None]) -> bool:
    """Whether plans in these states are all of ICT, and there is one. None: a plan that is unknown or forgotten."""
    found = [is_ict((state or {}).get("cpv", ())) for state in states]
    return bool(found) and all(found)
