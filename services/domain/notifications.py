"""The words for a notification's way: why it is sent, what is new in it, and how far it has come. Pure."""

from enum import StrEnum
from typing import Final


class Purpose(StrEnum):
    """Which email about opportunities carries a notification."""

    IMMEDIATE = "immediate"
    DIGEST = "digest"
    CORRECTION = "correction"


class NotificationChange(StrEnum):
    """What is new in an opportunity for an authority, measured by what it was told before."""

    NEW = "new"
    AGAIN = "again"
    STRONGER = "stronger"
    WEAKER = "weaker"
    MOVED = "moved"
    WITHDRAWN = "withdrawn"
    ASKED = "asked"
    INTRODUCED = "introduced"


class IntentState(StrEnum):
    """How far one thing to tell has come."""

    PENDING = "pending"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    AMBIGUOUS = "ambiguous"
    FAILED = "failed"
    CANCELLED = "cancelled"


class EmailState(StrEnum):
    """How far one email has come. A sender holds what is claimed, and may have sent what is ambiguous."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    SENDING = "sending"
    SENT = "sent"
    AMBIGUOUS = "ambiguous"
    FAILED = "failed"
    CANCELLED = "cancelled"


class CancelReason(StrEnum):
    """Why something is not told, or an email not sent."""

    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    MUTED = "muted"
    NEVER_TOLD = "never-told"
    NOT_WANTED = "not-wanted"
    DISSOLVED = "dissolved"
    ANSWERED = "answered"


class DeliveryFailure(StrEnum):
    """Why an email was given up."""

    PERMANENT = "permanent"
    TEMPORARY = "temporary"
    AMBIGUOUS = "ambiguous"


UNSENT: Final = (IntentState.PENDING, IntentState.QUEUED)
"""The states of an intent that no attempt was made to send."""
POSSIBLY_SENT: Final = (IntentState.SENDING, IntentState.SENT, IntentState.AMBIGUOUS)
"""The states of an intent that has reached its reader, or may have."""
UNDELIVERED: Final = (EmailState.QUEUED, EmailState.CLAIMED, EmailState.SENDING, EmailState.AMBIGUOUS)
"""The states of an email that is still to be sent or settled."""
