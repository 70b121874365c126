"""Emails about the settings of a council or an office: codes for another mailbox, and receipts. They name no person."""

from typing import Final

from fastapi import BackgroundTasks

from services.application.mailbox_change import MailboxChangeCodes, Mailboxes
from services.platform.settings import Settings
from services.web.code_email import grouped, send_text
from services.web.parts import page_url

PRESENT_CODE: Final = """\
Your code is {code}

Somebody at {name} asked that emails from Jointly go to {new} from now on, and no longer to this mailbox.
Enter the code, and the one in {new}, on the page. Both work for 15 minutes, and once.

If none of you wants this, do nothing: without this code the mailbox stays as it is.
"""
NEW_CODE: Final = """\
Your code is {code}

Somebody at {name} asked that its emails from Jointly come to this mailbox.
Enter the code, and the one in its present mailbox, on the page. Both work for 15 minutes, and once.

If you are not {name}, do nothing: you get no further email.
"""
PRESENT_RECEIPT: Final = """\
Emails from Jointly go to {new} from now on, and no longer to this mailbox.

Links in emails that came here have stopped working, and everybody who was signed in is signed out.
If you did not want this, reply to this email at once: a person reads it.
"""
NEW_RECEIPT: Final = """\
Your emails from Jointly come to this mailbox from now on, and no longer to {present}.

Tokens and calendar addresses go on working. The settings show them, and revoke those that nobody needs:
{link}
"""
RECEIPT: Final = """\
{sentence}

This was changed on the pages, by somebody who had signed in with a code from this mailbox.
The settings show what there is, and revoke it:
{link}
"""


def send_mailbox_codes(later: BackgroundTasks, settings: Settings, name: str, begun: MailboxChangeCodes) -> None:
    """Send each mailbox its code, once the page has been answered."""
    to, subject = begun.mailboxes, "Your code to change the mailbox of Jointly"
    present = PRESENT_CODE.format(code=grouped(begun.present_code), name=name, new=to.new)
    later.add_task(send_text, settings, to.present, subject, present)
    later.add_task(send_text, settings, to.new, subject, NEW_CODE.format(code=grouped(begun.new_code), name=name))


def send_mailbox_receipts(later: BackgroundTasks, settings: Settings, changed: Mailboxes) -> None:
    """Tell both mailboxes."""
    subject = "Your mailbox for Jointly has changed"
    later.add_task(send_text, settings, changed.present, subject, PRESENT_RECEIPT.format(new=changed.new))
    text = NEW_RECEIPT.format(present=changed.present, link=page_url(settings, "/settings/access"))
    later.add_task(send_text, settings, changed.new, subject, text)


def send_receipt(later: BackgroundTasks, settings: Settings, mailbox: str, sentence: str, path: str) -> None:
    """Send a receipt for a changed setting. `path`: the page with that setting."""
    text = RECEIPT.format(sentence=sentence, link=page_url(settings, path))
    later.add_task(send_text, settings, mailbox, "Your settings in Jointly have changed", text)
