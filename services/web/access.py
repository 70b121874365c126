"""Identifies the reader and the group by the link of an email. Anybody else gets 404."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException

from services.application.group_view import GroupView, NoGroupError, load_group
from services.domain.links import LinkError, LinkPurpose, OpenedLink, open_token
from services.platform.clock import today
from services.store.addressees import addressee
from services.store.database import transaction
from services.web.parts import parts_of, today_of


@dataclass(frozen=True, slots=True)
class Reader:
    """An authority that may read and answer one subject. `base` is its page's address, `actor` a person's name."""

    authority: str
    subject: str
    base: str
    actor: str | None = None


async def session_of(request: Request) -> AsyncIterator[AsyncSession]:
    """Open one transaction for the request, and commit it before the response is sent."""
    async with transaction(parts_of(request).sessions) as session:
        yield session


# With the usual scope the commit would come after the answer, and the next page too early.
Session = Annotated[AsyncSession, Depends(session_of, scope="function")]


async def open_link(request: Request, session: AsyncSession, purpose: LinkPurpose, token: str) -> OpenedLink:
    """Resolve a link to its reader and subject as of today. Raises LinkError."""
    # A link's days are real ones, also where plans are judged as of a fixed day.
    secrets = parts_of(request).settings.need_link_secrets()
    day = today(None)
    opened = open_token(secrets, purpose, token, day)
    row = await addressee(session, opened.authority, today_of(request))
    opened.require_mailbox(row.mailbox_ref if row is not None and row.mailbox else None)
    if purpose in (LinkPurpose.ANSWER, LinkPurpose.ENQUIRY) and row is not None and not row.takes_part(day):
        raise LinkError("Your council takes part no longer. To come back, reply to any of our emails.")
    return opened


async def reader_by_link(request: Request, session: AsyncSession, token: str) -> Reader:
    """The reader who holds an answer link. Raises LinkError."""
    opened = await open_link(request, session, LinkPurpose.ANSWER, token)
    return Reader(opened.authority, opened.subject, f"/g/{token}")


async def group_of(request: Request, session: AsyncSession, reader: Reader) -> GroupView:
    """The reader's group. Raises 404 if the authority has no such group."""
    try:
        parts = parts_of(request)
        return await load_group(
            session, reader.authority, reader.subject, today(parts.settings.as_of), parts.frameworks
        )
    except NoGroupError:
        raise HTTPException(404) from None
