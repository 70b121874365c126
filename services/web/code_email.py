"""The email with a sign-in code, and receipts: short, plain, and sent after the page has been answered."""

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Final

from services.notifier.channels import ChannelError, smtp_from_url
from services.notifier.rendering.email_message import as_bytes, sender
from services.platform import logs
from services.platform.settings import Settings
from services.store.database import now

log: Final = logs.get(__name__)

CODE_TEXT: Final = """\
Your code is {code}

Enter it on the page from which you asked for it. It works for 15 minutes, and once.

If nobody at your council is signing in to Jointly, do nothing: without the code nobody gets in.
Never give the code to anybody who asks for it.
"""


async def send_code(settings: Settings, mailbox: str, code: str) -> None:
    """Send a code to a mailbox. A failure is logged; the person can ask for another code."""
    await send_text(settings, mailbox, "Your sign-in code for Jointly", CODE_TEXT.format(code=grouped(code)))


def grouped(code: str) -> str:
    """A code as people read it."""
    return f"{code[:3]} {code[3:]}"


async def send_text(settings: Settings, mailbox: str, subject: str, text: str) -> None:
    """Send one plain email."""
    who = sender(settings.mail_from)
    message = EmailMessage(policy=SMTP)
    message["From"] = f"{who.name} <{who.mailbox}>"
    message["To"] = mailbox
    message["Subject"] = subject
    message["Date"] = format_datetime(now())
    message["Message-ID"] = make_msgid(domain=who.domain)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    try:
        await smtp_from_url(settings.need_smtp()).send(as_bytes(message), who.mailbox, mailbox)
    except ChannelError as error:
        log.warning("email of the pages was not sent", reason=error.reason)
