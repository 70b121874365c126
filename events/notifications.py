"""Notification events: the authority, the opportunities and the outcome of each email. Addresses are never included."""

from datetime import datetime
from typing import ClassVar, Final, Literal

from pydantic import Field

from events.fields import Authority, Payload, Revision


class NotifiedOpportunity(Payload):
    """The state of the opportunity that the message was about."""

    opportunity_id: str
    material_revision: Revision
    causation_id: str | None = Field(
        default=None, description="Id of the plan event that caused the state; a keyed id if a plan is match_only"
    )


class NotificationOutcome(Payload):
    """One message to one authority, and its outcome."""

    notification_id: str
    authority: Authority
    channel: Literal["email"]
    recipient: str = Field(description="Opaque reference of the mailbox, never its address")
    purpose: Literal["immediate", "digest", "correction", "coalition", "benchmark", "confirmation"]
    opportunities: tuple[NotifiedOpportunity, ...]
    coalition_id: str | None = Field(default=None, description="The coalition that the message was about")
    attempts: int = Field(ge=0)
    at: datetime


class NotificationSent(NotificationOutcome):
    """The mail server accepted the message."""

    type: ClassVar[str] = "jointly.notification.sent.v1"


class NotificationFailed(NotificationOutcome):
    """The message was given up. `failure` is the type of failure, `reason` a code."""

    type: ClassVar[str] = "jointly.notification.failed.v1"
    failure: Literal["permanent", "temporary", "ambiguous"]
    reason: str


NotificationPayload = NotificationSent | NotificationFailed

NOTIFICATION_PAYLOADS: Final[tuple[type[NotificationPayload], ...]] = (NotificationSent, NotificationFailed)
