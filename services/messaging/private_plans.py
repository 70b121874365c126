"""Detects events that may be about private plans. Their dead letters hold no content."""

import json
import re
from base64 import b64decode
from typing import Any, Final

from events.cloudevents import MAX_VALUE_BYTES

_PRIVATE: Final = re.compile(rb'"sharing"\s*:\s*"private"', re.IGNORECASE)


def is_private(value: bytes | None) -> bool:
    """Return whether an event says `"sharing": "private"` anywhere, in binary or structured mode, valid or not.

    A value that is larger than any event counts as private: to parse it would hold up the event loop for seconds.
    """
    if not value:
        return False
    if len(value) > MAX_VALUE_BYTES:
        return True
    if _PRIVATE.search(value):
        return True
    try:
        return _says_private(json.loads(value, object_pairs_hook=list))
    except (ValueError, RecursionError):
        return False


def _says_private(content: Any) -> bool:
    """Decode objects as lists of pairs, so that both values of a duplicate name are checked."""
    if isinstance(content, str):
        return False
    if isinstance(content, tuple):
        name, inner = content
        if name == "sharing" and isinstance(inner, str) and inner.strip().lower() == "private":
            return True
        if name == "data_base64" and isinstance(inner, str):
            return _encoded_says_private(inner)
        return _says_private(inner)
    return isinstance(content, list) and any(map(_says_private, content))


def _encoded_says_private(text: str) -> bool:
    try:
        return is_private(b64decode(text))
    except ValueError:
        return False
