"""The email that tells a council's mailbox what was done with one of its plans on the pages."""

from dataclasses import dataclass
from typing import Final, Literal

from fastapi import BackgroundTasks
from sqlalchemy.ext.asyncio import AsyncSession

from matching.text.formatting import quote
from services.platform.clock import today
from services.platform.settings import Settings
from services.store import authorities
from services.store.addressees import addressee
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
    """Tells the authority's mailbox which plans were confirmed by a link."""
    row = await addressee(session, authority, today(settings.as_of))
    if row is None or row.mailbox is None:
        return
    text = _CONFIRMED.format(plans="\n".join(plan_ids), link=f"{settings.public_url.rstrip('/')}/home")
    later.add_task(send_text, settings, row.mailbox, "Plans of your council were confirmed on Jointly", text)


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
