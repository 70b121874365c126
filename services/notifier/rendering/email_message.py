"""A letter as an e-mail message: text and HTML, and the headers that mail servers and readers act on. Pure."""

from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cache, partial
from typing import Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from services.notifier.rendering.mail_view import EmailView, PlanGroup
from services.store.authorities import AddressError, valid_mailbox

WHO_ACTS: Final = "by then both of you have to agree, so either of you should write first"
LATER: Final = (
    "A mail tells of only so many matches with one plan and one authority. Later mails bring the others, the strongest "
    "first. To hear no more of an authority, reply and say so."
)
CLOSED: Final = (
    "One of you shares only that there is a match, so neither of you sees more here. "
    "To learn more, ask their procurement team."
)


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes: a name, a mailbox that is read, and where preferences are shown (or "")."""

    name: str
    mailbox: str
    public_url: str = ""

    @property
    def domain(self) -> str:
        """The mailbox's domain."""
        return self.mailbox.rpartition("@")[2]


def sender(mail_from: str, public_url: str = "") -> Sender:
    """Reads `Name <mailbox@domain>`. Raises AddressError where it is not one mailbox."""
    name, address = parseaddr(mail_from)
    if not address:
        raise AddressError("is not of the form: Name <mailbox@domain>")
    return Sender(name or "Jointly", valid_mailbox(address), public_url)


def message_id(mail_id: str, who: Sender) -> str:
    """The Message-ID of a mail: the same at every attempt."""
    return f"<{mail_id}@{who.domain}>"


def compose(letter: EmailView, who: Sender, recipient: str, mail_id: str, identity: str, at: datetime) -> EmailMessage:
    """The whole message. `identity` is its Message-ID, `at` its date."""
    message = add_headers(who, recipient, letter.subject, letter.authority, identity, at)
    message.set_content(text(letter, who, mail_id))
    message.add_alternative(html(letter, who, mail_id), subtype="html")
    return message


def add_headers(who: Sender, recipient: str, subject: str, authority: str, identity: str, at: datetime) -> EmailMessage:
    """A message with the headers that all of ours have, and no content yet."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(display_name=who.name, addr_spec=who.mailbox)
    message["To"] = Address(addr_spec=recipient)
    message["Subject"] = subject
    message["Date"] = format_datetime(at)
    message["Message-ID"] = identity
    # RFC 3834: nobody's out-of-office answers this.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    message["List-Unsubscribe"] = _unsubscribe(authority, who)
    return message


def as_bytes(made: EmailMessage) -> bytes:
    """The message as every mail server takes it: 7 bit, CRLF."""
    return made.as_bytes(policy=SMTP.clone(cte_type="7bit"))


def _unsubscribe(authority: str, who: Sender) -> str:
    mailto = f"<mailto:{quote(who.mailbox, safe='@')}?subject={quote(f'Stop mails to {authority}')}>"
    # No List-Unsubscribe-Post: scanners follow links, and some post; a person reads that mailbox.
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
    return {
        "letter": letter,
        "opening": opening(letter),
        "heading": heading,
        "mailto": partial(quote, safe="@"),
        "who_acts": WHO_ACTS,
        "closed": CLOSED,
        "later": LATER,
        "brief_count": sum(len(group.items) for group in letter.brief),
        "reply_to": who.mailbox,
        "public_url": who.public_url,
        "reference": mail_id[:12],
    }


def opening(letter: EmailView) -> str:
    """The first sentence: why this email, and what is asked."""
    if letter.purpose == "correction":
        return "We suggested buying together with another authority. That suggestion no longer holds."
    if letter.purpose == "digest":
        return (
            "This week's look at who may be buying what you plan to buy. Nothing here is urgent unless a date says so."
        )
    return (
        "Others plan to buy what you plan to buy, at about the same time. "
        "If you would like to go to market together, get in touch before the dates below."
    )


def heading(group: PlanGroup) -> str:
    """The heading over one of the reader's own plans."""
    plan = group.plan
    return plan[0].upper() + plan[1:] if plan.startswith("your plan ") else f"Your plan: {plan}"
