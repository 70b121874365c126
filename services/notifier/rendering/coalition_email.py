"""A letter about a coalition as an e-mail message, threaded with the invitation. Pure."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from functools import partial
from urllib.parse import quote

from services.notifier.rendering.coalition_view import CoalitionLetter
from services.notifier.rendering.email_message import Sender, add_headers, environment
from services.store.intents import Mail

COLUMNS = (("Council", "council"), ("Plan", "plan"), ("Value", "value"), ("Tender", "tender"))
MORE_COLUMNS = (("Stage", "stage"), ("Contract now", "now"), ("Reply", "reply"))


def compose(
    letter: CoalitionLetter, who: Sender, recipient: str, mail: Mail, thread: str, at: datetime
) -> EmailMessage:
    """The whole message. `thread`: the invitation's Message-ID, which every later email refers to."""
    message = add_headers(who, recipient, letter.subject, letter.authority, mail.message_id, at)
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
    return environment(False).get_template("coalition.txt.j2").render(table=_table(letter), **_context(letter, who))


def html(letter: CoalitionLetter, who: Sender) -> str:
    """The HTML version: no images, no scripts, nothing fetched."""
    return environment(True).get_template("coalition.html.j2").render(**_context(letter, who))


def _context(letter: CoalitionLetter, who: Sender) -> dict[str, object]:
    return {
        "letter": letter,
        "columns": COLUMNS + MORE_COLUMNS,
        "mailto": partial(quote, safe="@"),
        "reply_to": who.mailbox,
        "sender": who.name,
        "public_url": who.public_url,
    }


def _table(letter: CoalitionLetter) -> list[str]:
    """The councils in aligned columns, as far as a plain text email has room: the rest goes on a line below."""
    rows = [[getattr(row, name) for _, name in COLUMNS] for row in letter.rows]
    cells = [[title for title, _ in COLUMNS], *rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    found = [lines[0]]
    for line, row in zip(lines[1:], letter.rows, strict=True):
        found += [line, f"  {row.stage}. {row.reply}. Contract now: {row.now}."]
    return found
