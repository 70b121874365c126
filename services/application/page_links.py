"""Links to the pages for trying out the stack: one for each authority with a group that it can answer."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from services.application import coalitions
from services.domain.links import LinkMaker
from services.platform.clock import today
from services.platform.settings import Settings
from services.store import authorities


@dataclass(frozen=True, slots=True)
class PageLink:
    """An authority's name, and the address of its group's page."""

    name: str
    url: str


async def links_to_groups(session: AsyncSession, settings: Settings, limit: int) -> list[PageLink]:
    """One link for each authority that is in a living coalition and has a mailbox, by name."""
    states = await coalitions.listed(session, None, ended=False, limit=1000)
    subjects = {member.authority: state.coalition_id for state in states for member in state.members}
    register = await authorities.by_codes(session, sorted(subjects))
    links = LinkMaker(settings.public_url.rstrip("/"), tuple(settings.need_link_secrets()))
    found = [
        PageLink(row.name, links.answer(code, subjects[code], row.mailbox_ref, today(None)))
        for code, row in register.items()
        if row.mailbox
    ]
    return sorted(found, key=lambda link: link.name)[:limit]
