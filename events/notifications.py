"""Notification events: who was told of what, by an opaque reference; addresses never travel."""

from datetime import datetime
from typing import ClassVar, Final, Literal

from pydantic import Field

from events.fields import Authority, Payload, Revision


class NotifiedOpportunity(Payload):
    """Which state of which opportunity the message told of."""

    opportunity_id: str
    material_revision: Revision
    causation_id: str | None = Field(default=None, description="Id of the plan event that the state followed from")


class NotificationOutcome(Payload):
    """One message to one authority and what became of it."""

    notification_id: str
    authority: Authority
    channel: Literal["email"]
    recipient: str = Field(description="Opaque reference of the mailbox, never its address")
    purpose: Literal["immediate", "digest", "correction", "coalition", "benchmark", "confirmation"]
    opportunities: tuple[NotifiedOpportunity, ...]
    coalition_id: str | None = Field(default=None, description="The coalition that the message told of")
    attempts: int = Field(ge=0)
    at: datetime


class NotificationSent(NotificationOutcome):
    """The mail server accepted the message."""

    type: ClassVar[str] = "jointly.notification.sent.v1"


class NotificationFailed(NotificationOutcome):
    """The message was given up; `failure` says of which type, `reason` in a word."""

    type: ClassVar[str] = "jointly.notification.failed.v1"
    failure: Literal["permanent", "temporary", "ambiguous"]
    reason: str


NotificationPayload = NotificationSent | NotificationFailed

NOTIFICATION_PAYLOADS: Final[tuple[type[NotificationPayload], ...]] = (NotificationSent, NotificationFailed)
