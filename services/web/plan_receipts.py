"""Receipts for acts on the pages about a council's plans, sent to its mailbox."""

from dataclasses import dataclass
from typing import Final, Literal

from fastapi import BackgroundTasks
from sqlalchemy.ext.asyncio import AsyncSession

from matching.text.formatting import sanitise_line
from services.platform.clock import today
from services.platform.settings import Settings
from services.store.addressees import addressee
from services.web.code_email import send_text
from services.web.parts import page_url

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
    """One act about a plan."""

    done: Literal["published", "changed", "ended"]
    plan_id: str
    title: str


_CONFIRMED: Final = """\
Somebody with the link of an email has confirmed for your council, on Jointly, that these plans are still true:

{plans}

If that was not your council, or they have changed, sign in and change them:
{link}

Opening the link changes nothing.
"""


async def send_confirmation_receipt(
    settings: Settings, session: AsyncSession, later: BackgroundTasks, authority: str, plan_ids: list[str]
) -> None:
    """Tell the authority's mailbox which plans were confirmed by a link."""
    text = _CONFIRMED.format(plans="\n".join(plan_ids), link=page_url(settings, "/home"))
    await _send(settings, session, later, authority, "Plans of your council were confirmed on Jointly", text)


async def send_receipt(
    settings: Settings, session: AsyncSession, later: BackgroundTasks, authority: str, receipt: Receipt
) -> None:
    """Send a receipt to the authority's mailbox."""
    link = page_url(settings, f"/p/{receipt.plan_id}")
    text = _TEXT.format(done=receipt.done, title=sanitise_line(receipt.title, 200), plan_id=receipt.plan_id, link=link)
    await _send(settings, session, later, authority, f"A plan of your council was {receipt.done} on Jointly", text)


async def _send(
    settings: Settings, session: AsyncSession, later: BackgroundTasks, authority: str, subject: str, text: str
) -> None:
    """Send it after the page has been answered, to the successor if the authority has been dissolved."""
    row = await addressee(session, authority, today(settings.as_of))
    if row is not None and row.mailbox is not None:
        later.add_task(send_text, settings, row.mailbox, subject, text)
