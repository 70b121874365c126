"""The enums of notifications: their purposes, changes, states and reasons. Pure."""

from enum import StrEnum
from typing import Final


class Purpose(StrEnum):
    """The kind of email that carries a notification."""

    IMMEDIATE = "immediate"
    DIGEST = "digest"
    CORRECTION = "correction"


class NotificationChange(StrEnum):
    """The news in a notification, compared with the authority's previous one."""

    NEW = "new"
    AGAIN = "again"
    STRONGER = "stronger"
    WEAKER = "weaker"
    MOVED = "moved"
    WITHDRAWN = "withdrawn"
    ASKED = "asked"
    INTRODUCED = "introduced"


class IntentState(StrEnum):
    """The state of one notification."""

    PENDING = "pending"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    AMBIGUOUS = "ambiguous"
    FAILED = "failed"
    CANCELLED = "cancelled"


class EmailState(StrEnum):
    """The state of one email. A claimed email belongs to one sender; an ambiguous one may have been sent."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    SENDING = "sending"
    SENT = "sent"
    AMBIGUOUS = "ambiguous"
    FAILED = "failed"
    CANCELLED = "cancelled"


class CancelReason(StrEnum):
    """Why a notification or an email was cancelled."""

    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    MUTED = "muted"
    NEVER_TOLD = "never-told"
    NOT_WANTED = "not-wanted"
    DISSOLVED = "dissolved"
    ANSWERED = "answered"
    NOTHING_LEFT = "nothing-left"


class WaitReason(StrEnum):
    """Why a notification waits although it is due.

    `UNKNOWN_PARTNER`: it is about an authority that is neither in the register nor a council. `OVER_CAP`: the email
    already held enough about its plan or authority.
    """

    NO_MAILBOX = "no-mailbox"
    PAUSED = "paused"
    UNKNOWN_PARTNER = "unknown-partner"
    OVER_CAP = "over-a-cap"


WITHHELD: Final = (WaitReason.NO_MAILBOX, WaitReason.PAUSED, WaitReason.UNKNOWN_PARTNER)
"""Reasons of notifications that wait until somebody changes the register."""


class DeliveryFailure(StrEnum):
    """Why an email was given up."""

    PERMANENT = "permanent"
    TEMPORARY = "temporary"
    AMBIGUOUS = "ambiguous"


UNSENT: Final = (IntentState.PENDING, IntentState.QUEUED)
"""States of an intent before any attempt to send it."""
POSSIBLY_SENT: Final = (IntentState.SENDING, IntentState.SENT, IntentState.AMBIGUOUS)
"""States of an intent that has reached its reader, or may have."""
UNDELIVERED: Final = (EmailState.QUEUED, EmailState.CLAIMED, EmailState.SENDING, EmailState.AMBIGUOUS)
"""States of an email that still has to be sent or settled."""
