"""Composes an email that carries one notice and stands in no thread, and marks it as being sent."""

from collections.abc import Callable
from datetime import datetime

from services.notifier.context import DispatchContext, ReadyEmail
from services.notifier.page_links import PageLinks, links_for
from services.notifier.recipient import Recipient
from services.notifier.rendering import email_message
from services.notifier.rendering.email_message import NoticeLetter
from services.store import deliveries
from services.store.authorities import Authority
from services.store.intents import Mail

Compose = Callable[[Authority, PageLinks | None], NoticeLetter]


def begin_notice(
    dispatch: DispatchContext, mail: Mail, lease_owner: str, recipient: Recipient, compose: Compose, at: datetime
) -> ReadyEmail:
    """Compose the email from the templates of its purpose, with the links that stop its kind."""
    authority, mailbox = recipient
    links = links_for(dispatch.links, authority)
    deliveries.mark_sending(mail, [], at)
    mail.message_id = mail.message_id or email_message.message_id(mail.mail_id, dispatch.sender)
    stop = links.stop(mail.purpose) if links else None
    composed = email_message.compose_notice(
        mail.purpose, compose(authority, links), dispatch.sender, mailbox, mail.message_id, at, stop
    )
    if links:
        links.add_one_click(composed, mail.purpose)
    return ReadyEmail(mail.mail_id, lease_owner, mail.purpose, email_message.as_bytes(composed), mailbox)
