"""The email that tells a council's mailbox what was done with one of its plans on the pages."""

from dataclasses import dataclass
from typing import Final, Literal

from fastapi import BackgroundTasks
from sqlalchemy.ext.asyncio import AsyncSession

from matching.text.formatting import quote
from services.platform.settings import Settings
from services.store import authorities
from services.web.code_email import send_text

_TEXT: Final = """\
Somebody who signed in for your council has {done} this plan on Jointly:

{title}
{plan_id}

If that was not your council, or you want it otherwise, sign in and change it:
{link}

Opening the link changes nothing.
"""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was done with which plan."""

    done: Literal["published", "changed", "ended"]
    plan_id: str
    title: str


async def send_receipt(
    settings: Settings, session: AsyncSession, later: BackgroundTasks, authority: str, receipt: Receipt
) -> None:
    """Sends it to the authority's mailbox once the page has been answered."""
    row = (await authorities.by_codes(session, [authority])).get(authority)
    if row is None or row.mailbox is None:
        return
    link = f"{settings.public_url.rstrip('/')}/p/{receipt.plan_id}"
    text = _TEXT.format(done=receipt.done, title=quote(receipt.title, 200), plan_id=receipt.plan_id, link=link)
    later.add_task(send_text, settings, row.mailbox, f"A plan of your council was {receipt.done} on Jointly", text)
