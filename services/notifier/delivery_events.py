"""Builds the event of an email's outcome for the outbox. It names the recipient by an opaque reference."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from events.cloudevents import Event, encode
from events.notifications import NotificationFailed, NotificationPayload, NotificationSent, NotifiedOpportunity
from events.topics import NOTIFICATIONS
from services.domain.notifications import DeliveryFailure, IntentState
from services.store.intents import Intent, Mail
from services.store.outbox import Outbox, to_outbox_row

SOURCE: Final = "/notifier"


def sent_event(mail: Mail, recipient: str, told: Sequence[Intent], at: datetime) -> Outbox:
    """The event of an accepted email, with the opportunities that it told of."""
    return _outgoing(NotificationSent(**_common(mail, recipient, at), opportunities=_told(told)))


def failed_event(mail: Mail, recipient: str, intents: Sequence[Intent], at: datetime) -> Outbox:
    """The event of an email that was given up, with its opportunities and the reason."""
    return _outgoing(
        NotificationFailed(
            **_common(mail, recipient, at),
            opportunities=_told(
                [intent for intent in intents if intent.state in (IntentState.FAILED, IntentState.AMBIGUOUS)]
            ),
            failure=cast(DeliveryFailure, mail.failure),
            reason=mail.reason or "unknown",
        )
    )


def _common(mail: Mail, recipient: str, at: datetime) -> dict[str, Any]:
    return {
        "notification_id": mail.mail_id,
        "authority": mail.authority,
        "channel": "email",
        "recipient": recipient,
        "purpose": mail.purpose,
        "coalition_id": mail.coalition_id,
        "attempts": mail.attempts,
        "at": at,
    }


def _told(intents: Sequence[Intent]) -> tuple[NotifiedOpportunity, ...]:
    return tuple(
        NotifiedOpportunity(
            opportunity_id=intent.opportunity_id,
            material_revision=intent.material_revision,
            causation_id=intent.causation_id,
        )
        for intent in intents
    )


def _outgoing(payload: NotificationPayload) -> Outbox:
    # Each email has one final outcome, so the event id is the same however often the event is written.
    event_id = f"{payload.notification_id}.{'sent' if isinstance(payload, NotificationSent) else 'failed'}"
    causes = {told.causation_id for told in payload.opportunities}
    # The envelope names one cause. An email with several causes names them with its opportunities.
    cause = causes.pop() if len(causes) == 1 else None
    event = Event(id=event_id, type=payload.type, source=SOURCE, time=payload.at, payload=payload, causation_id=cause)
    return to_outbox_row(NOTIFICATIONS.name, event_id, encode(event, payload.notification_id))
