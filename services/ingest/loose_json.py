"""Reads JSON of unknown structure: each function returns the requested type, whatever it finds."""

import math
from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]


def as_object(value: object) -> Object:
    """Return the object, or an empty one."""
    return value if isinstance(value, dict) else {}


def as_objects(value: object) -> Iterator[Object]:
    """Return the objects of a list; none if it is no list."""
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def as_text(value: object) -> str:
    """Return the text, stripped, or a number's digits; empty if there is none. Lone surrogates become question
    marks."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.encode("utf-8", "replace").decode().strip() if isinstance(value, str) else ""


def as_number(value: object) -> float | None:
    """Return the finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
