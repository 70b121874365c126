"""Takes people out of texts: e-mail addresses and telephone numbers are no part of a plan."""

import re
from typing import Final

from events.plans import PlanPayload

MAX_TEXT: Final = 40_000
"""Characters of a text that are looked at; twice what a description may have."""
TEXTS: Final = {"title": 500, "description": 20_000, "reason": 20_000}
"""The free texts of plan payloads, and the characters that each may have."""

# Bounded repetition: a text of one endless word must not take quadratic time.
_EMAIL: Final = re.compile(r"[\w.+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_TELEPHONE: Final = re.compile(r"(?<![\w-])(?:\+44[\s(]*|0)\d(?:[\s()-]{0,2}\d){8,10}(?!\w)")


def without_contacts(text: str) -> str:
    """The text with `[e-mail removed]` and `[telephone removed]` in place of addresses and numbers."""
    return _TELEPHONE.sub("[telephone removed]", _EMAIL.sub("[e-mail removed]", text))


def redact(payload: PlanPayload) -> PlanPayload:
    """The payload without contacts in its texts; the same object where it has none."""
    changed = {}
    for name, longest in TEXTS.items():
        text = getattr(payload, name, "")
        redacted = without_contacts(text)
        if redacted != text:
            changed[name] = redacted[:longest]
    return payload.model_copy(update=changed) if changed else payload
