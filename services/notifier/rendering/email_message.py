"""Composes an email about opportunities: text and HTML, and the headers for servers and programs. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cache, partial
from typing import Final, Protocol
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from matching.text.formatting import format_date
from services.domain.supplier_view import SUPPLIER_NOT_NEED
from services.notifier.rendering.councils import WIDE, text_table
from services.notifier.rendering.headline import Headline
from services.notifier.rendering.mail_view import EmailView
from services.store.authorities import AddressError, valid_mailbox

LATER: Final = (
    "An email tells of only so many matches with one plan and one authority. Later emails bring the others, the "
    "strongest first. To hear no more of an authority, reply and say so."
)
CLOSED: Final = "One of you shares only that there is a match, so neither of you sees more here. "
CLOSED_BY_PAGE: Final = (
    f"{CLOSED}On its page you can ask to be introduced. Both plans open to each other once both of you have said yes."
)
CLOSED_BY_REPLY: Final = (
    f"{CLOSED}To ask for an introduction, reply \u201cintroduce\u201d and the reference. Both plans open to each other "
    "once both of you have said yes."
)
ASKED: Final = (
    "If you say yes, each of you sees the other's plan and mailbox. If you say no or nothing, they are not told so; "
    "a no stands for six months."
)
ASKED_BY_REPLY: Final = f"Reply yes, no or later, and the reference. {ASKED}"
MAX_REFERENCES: Final = 10
_EMPTY_FIRST_LINE: Final = re.compile(rb"(?m)^([A-Za-z-]+:) *\r\n[ \t]+")


COLUMNS: Final = (*WIDE, ("Match", "reply"))
OPENINGS: Final = {
    "correction": "We suggested buying together with another authority. That suggestion no longer holds.",
    "digest": "This week's look at who may be buying what you plan to buy.",
    "immediate": "",
}
"""The first sentence, unless the needs speak for themselves."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender: a name, a mailbox that is read, and the address of the preferences (or "")."""

    name: str
    mailbox: str
    public_url: str = ""

    @property
    def domain(self) -> str:
        """The mailbox's domain."""
        return self.mailbox.rpartition("@")[2]


def sender(mail_from: str, public_url: str = "") -> Sender:
    """Parse `Name <mailbox@domain>`. Raises AddressError if it is not one mailbox."""
    name, address = parseaddr(mail_from)
    if not address:
        raise AddressError("is not of the form: Name <mailbox@domain>")
    return Sender(name or "Jointly", valid_mailbox(address), public_url)


def message_id(mail_id: str, who: Sender) -> str:
    """The Message-ID of an email, the same for every attempt."""
    return f"<{mail_id}@{who.domain}>"


def compose(
    letter: EmailView,
    who: Sender,
    recipient: str,
    mail_id: str,
    identity: str,
    at: datetime,
    earlier: Sequence[str] = (),
) -> EmailMessage:
    """Compose the message. `identity` is its Message-ID, and `at` its date.

    `earlier`: the Message-IDs of earlier emails about the same opportunities, oldest first.
    """
    message = add_headers(who, recipient, letter.headline.subject, letter.authority, identity, at)
    message["List-Id"] = f"Suggestions <suggestions.{who.domain}>"
    message["Reply-To"] = Address(display_name=who.name, addr_spec=who.mailbox)
    if earlier:
        message["In-Reply-To"] = earlier[-1]
        message["References"] = " ".join(earlier[-MAX_REFERENCES:])
    message.set_content(text(letter, who, mail_id))
    message.add_alternative(html(letter, who, mail_id), subtype="html")
    return message


class NoticeLetter(Protocol):
    """The content of an email that stands alone, in no thread."""

    @property
    def headline(self) -> Headline: ...
    @property
    def authority(self) -> str: ...


def compose_notice(
    template: str,
    letter: NoticeLetter,
    who: Sender,
    recipient: str,
    identity: str,
    at: datetime,
    stop_link: str | None = None,
) -> EmailMessage:
    """Compose the message from the two templates of this name. `identity` is its Message-ID.

    `stop_link`: the page that stops these emails, if there are pages.
    """
    message = add_headers(who, recipient, letter.headline.subject, letter.authority, identity, at)
    context = {
        "letter": letter,
        "sender": who.name,
        "reply_to": who.mailbox,
        "mailto": partial(quote, safe="@"),
        "stop_link": stop_link,
    }
    message.set_content(environment(False).get_template(f"{template}.txt.j2").render(**context))
    message.add_alternative(environment(True).get_template(f"{template}.html.j2").render(**context), subtype="html")
    return message


def add_headers(who: Sender, recipient: str, subject: str, authority: str, identity: str, at: datetime) -> EmailMessage:
    """Build a message with the headers that all our emails have, and no content yet."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(display_name=who.name, addr_spec=who.mailbox)
    message["To"] = Address(addr_spec=recipient)
    message["Subject"] = subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = identity
    # RFC 3834: prevents out-of-office replies.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message["List-Unsubscribe"] = _unsubscribe(authority, who)
    return message


def as_bytes(made: EmailMessage) -> bytes:
    """Encode the email so that every mail server accepts it: 7 bit, CRLF."""
    raw = made.as_bytes(policy=SMTP.clone(cte_type="7bit"))
    head, gap, content = raw.partition(b"\r\n\r\n")
    # A long first word is folded onto its own line; some email programs then read the header as empty.
    return _EMPTY_FIRST_LINE.sub(rb"\1 ", head) + gap + content


def _unsubscribe(authority: str, who: Sender) -> str:
    mailto = f"<mailto:{quote(who.mailbox, safe='@')}?subject={quote(f'Stop mails to {authority}')}>"
    return f"{mailto}, <{who.public_url}>" if who.public_url else mailto


def text(letter: EmailView, who: Sender, mail_id: str) -> str:
    """The plain text version."""
    return environment(False).get_template("letter.txt.j2").render(**_context(letter, who, mail_id))


def html(letter: EmailView, who: Sender, mail_id: str) -> str:
    """The HTML version: no images, no scripts, nothing fetched."""
    return environment(True).get_template("letter.html.j2").render(**_context(letter, who, mail_id))


@cache
def environment(autoescape: bool) -> Environment:
    """The templates, with or without escaping for HTML."""
    return Environment(
        loader=PackageLoader("services.notifier.rendering"),
        autoescape=autoescape,  # noqa: S701 (the plain text version has nothing to escape)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _context(letter: EmailView, who: Sender, mail_id: str) -> dict[str, object]:
    has_pages = letter.stop_link is not None
    return {
        "letter": letter,
        "opening": OPENINGS[letter.purpose],
        "columns": COLUMNS,
        "text_table": text_table,
        "mailto": partial(quote, safe="@"),
        "closed": CLOSED_BY_PAGE if has_pages else CLOSED_BY_REPLY,
        "asked": ASKED if has_pages else ASKED_BY_REPLY,
        "later": LATER,
        "supplier_not_need": SUPPLIER_NOT_NEED,
        "brief_count": sum(len(items) for _, items in letter.brief),
        "signed_on": format_date(letter.signed_on) if letter.signed_on else None,
        "sender": who.name,
        "reply_to": who.mailbox,
        "public_url": who.public_url,
        "reference": mail_id[:12],
    }
