"""Detects values of which a dead letter holds no bytes: events about private plans, and what nobody can read."""

import json
import re
from base64 import b64decode
from typing import Any, Final

from events.cloudevents import MAX_VALUE_BYTES

_DISCLOSED: Final = ("open", "match_only")
_PRIVATE: Final = re.compile(r"sharing\W{0,20}[:=>]\W{0,20}private", re.IGNORECASE)
"""A string may hold an event as JSON, YAML, XML or a program's own notation."""


def is_private(value: bytes | None) -> bool:
    """Return whether an event may be about a private plan, in binary or structured mode, valid or not.

    A value that is no JSON object counts as private, because nobody can tell. The same holds for an unknown `sharing`,
    and for a value larger than any event: to parse it would hold up the event loop for seconds.
    """
    if not value:
        return False
    if len(value) > MAX_VALUE_BYTES:
        return True
    try:
        content = json.loads(value, object_pairs_hook=_Object)
        return not isinstance(content, _Object) or _says_private(content)
    except (ValueError, RecursionError):
        return True


class _Object(list[tuple[str, Any]]):
    """A JSON object as a list of pairs, so that both values of a duplicate name are checked."""


def _says_private(content: Any) -> bool:
    if isinstance(content, str):
        return _text_says_private(content)
    if isinstance(content, _Object):
        return any(_pair_says_private(name, inner) for name, inner in content)
    return isinstance(content, list) and any(map(_says_private, content))


def _pair_says_private(name: str, inner: Any) -> bool:
    if name.strip().lower() == "sharing" and not isinstance(inner, _Object):  # an object: that of a contract
        return inner not in _DISCLOSED
    if name == "data_base64" and isinstance(inner, str):
        return is_private(b64decode(inner))
    return _says_private(inner)


def _text_says_private(text: str) -> bool:
    """Look into a string as well: it may hold a whole event, encoded once more."""
    if _PRIVATE.search(text):
        return True
    if not text.lstrip().startswith(("{", "[", '"')):
        return False
    try:
        return _says_private(json.loads(text, object_pairs_hook=_Object))
    except ValueError:
        return text.lstrip().startswith("{")
