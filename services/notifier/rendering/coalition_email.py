"""Composes an email about a coalition, in the invitation's thread. Pure."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from functools import partial
from urllib.parse import quote

from services.notifier.rendering.coalition_view import CoalitionLetter
from services.notifier.rendering.councils import WIDE, text_table
from services.notifier.rendering.email_message import Sender, add_headers, environment
from services.store.intents import Mail

COLUMNS = (*WIDE, ("Reply", "reply"))


def compose(
    letter: CoalitionLetter, who: Sender, recipient: str, mail: Mail, thread: str, at: datetime
) -> EmailMessage:
    """Compose the message. `thread`: the invitation's Message-ID, which every later email refers to."""
    message = add_headers(who, recipient, letter.headline.subject, letter.authority, mail.message_id, at)
    message["List-Id"] = f"Coalitions <coalitions.{who.domain}>"
    if mail.message_id != thread:
        message["In-Reply-To"] = thread
        message["References"] = thread
    if letter.contact:
        message["Reply-To"] = Address(display_name=who.name, addr_spec=who.mailbox)
    message.set_content(text(letter, who))
    message.add_alternative(html(letter, who), subtype="html")
    return message


def text(letter: CoalitionLetter, who: Sender) -> str:
    """The plain text version, its table in columns."""
    table = text_table(letter.rows)
    return environment(False).get_template("coalition.txt.j2").render(table=table, **_context(letter, who))


def html(letter: CoalitionLetter, who: Sender) -> str:
    """The HTML version: no images, no scripts, nothing fetched."""
    return environment(True).get_template("coalition.html.j2").render(**_context(letter, who))


def _context(letter: CoalitionLetter, who: Sender) -> dict[str, object]:
    return {
        "letter": letter,
        "signed_on": letter.signed_on,
        "columns": COLUMNS,
        "mailto": partial(quote, safe="@"),
        "reply_to": who.mailbox,
        "sender": who.name,
        "public_url": who.public_url,
    }
