"""The content of an audit log entry, and the bytes that are hashed. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

MAX_TEXT: Final = 256
"""The longest text in an entry, in characters: entries hold ids, and are kept when everything else is erased."""


class AuditAction(StrEnum):
    """The recorded action."""

    RESPONSE_RECORDED = "response-recorded"
    RESPONSE_REFUSED = "response-refused"
    RESPONSE_SENT = "response-sent"
    """Sent on the pages; a second entry records whether it counts, once it has been handled."""
    PLAN_SENT = "plan-sent"
    """A plan was published, changed or ended on the pages."""
    SIGNED_IN = "signed-in"
    SIGNED_OUT = "signed-out"
    EMAILS_CHANGED = "emails-changed"
    MAILBOX_CHANGED = "mailbox-changed"
    """Confirmed by a code to the old mailbox and one to the new."""
    API_ACCESS_GRANTED = "api-access-granted"
    API_ACCESS_REVOKED = "api-access-revoked"
    BENCHMARK_READ = "benchmark-read"
    DOCUMENTS_READ = "documents-read"
    """A signatory looked at the addresses of documents for all signatories."""


class Channel(StrEnum):
    """The channel an act came by. It determines how the authority was authenticated."""

    BROWSER = "browser"
    COMMAND_LINE = "command-line"
    OWN_TOPIC = "own-topic"
    SHARED_TOPIC = "shared-topic"


@dataclass(frozen=True, slots=True)
class Act:
    """One recorded act, on behalf of `authority`; None for the operator of the installation.

    `actor` is the id of a typed name (`audit_names` in the store) or of a signing key. `subject` is the kind and id of
    the thing acted on, such as `coalition:4f0c...`. `details` are further ids, numbers and codes.
    """

    action: AuditAction
    authority: str | None
    subject: str
    channel: Channel
    actor: str | None = None
    details: Mapping[str, str | int | bool | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ValueError if a text is too long for an id."""
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
