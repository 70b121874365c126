"""What an entry of the audit log says, and the bytes that are hashed. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

MAX_TEXT: Final = 256
"""The longest text in an entry, in characters: entries hold ids, and are kept when everything else is erased."""


class AuditAction(StrEnum):
    """What was done."""

    RESPONSE_RECORDED = "response-recorded"
    RESPONSE_REFUSED = "response-refused"
    RESPONSE_SENT = "response-sent"
    """On the pages; whether it counts is recorded when it has been handled."""
    SIGNED_IN = "signed-in"
    SIGNED_OUT = "signed-out"
    EMAILS_CHANGED = "emails-changed"
    MAILBOX_CHANGED = "mailbox-changed"
    """With a code to the one before and one to the new one."""
    API_ACCESS_GRANTED = "api-access-granted"
    API_ACCESS_REVOKED = "api-access-revoked"
    BENCHMARK_READ = "benchmark-read"


class Channel(StrEnum):
    """How it reached us: with it goes what vouches for the authority."""

    BROWSER = "browser"
    COMMAND_LINE = "command-line"
    OWN_TOPIC = "own-topic"
    SHARED_TOPIC = "shared-topic"


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that somebody did. `authority`: for whom; None for whoever runs the installation.

    `actor` is an id: of a typed name (`audit_names` in the store) or of a signing key. `subject` is the kind and id
    of what it was done to, such as `coalition:4f0c...`. `details` are further ids, numbers and codes.
    """

    action: AuditAction
    authority: str | None
    subject: str
    channel: Channel
    actor: str | None = None
    details: Mapping[str, str | int | bool | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError where a text is too long for an id."""
        texts = (self.subject, self.authority, self.actor, *self.details, *self.details.values())
        if any(isinstance(text, str) and len(text) > MAX_TEXT for text in texts):
            raise ValueError(f"an audit entry holds ids of at most {MAX_TEXT} characters, no texts of people")


def entry_body(act: Act, seq: int, at: datetime) -> bytes:
    """The canonical bytes of an entry: JSON in UTF-8, its members sorted, no spaces. `seq` counts from 0."""
    said: dict[str, Any] = {
        "seq": seq,
        "at": at.isoformat(),
        "action": act.action.value,
        "authority": act.authority,
        "subject": act.subject,
        "channel": act.channel.value,
        "actor": act.actor,
        "details": dict(act.details),
    }
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
