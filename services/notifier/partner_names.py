"""What a partner is called in a mail: as the register says, or as a council is called. No event ever says it."""

from collections.abc import Collection
from datetime import date
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from matching.reference import authority as known_authority
from services.domain.reorganisation import is_dissolved, name_on
from services.store.addressees import addressees

UNNAMED: Final = "another authority"
"""A partner that was told of before and has left the register."""


async def names_of(session: AsyncSession, codes: Collection[str], today: date) -> dict[str, str]:
    """The names of those partners that the register has or whose code is a council's; the others are told to nobody.

    An authority's code is free text to whoever publishes under it, and a subject line would carry it to others.
    A dissolved council is called by its successor's name.
    """
    registered = await addressees(session, codes, today)
    names = {code: row.name for code, row in registered.items() if row.mailbox or not is_dissolved(code, today)}
    councils = {
        code: name_on(code, today) if is_dissolved(code, today) else council.name
        for code in codes
        if (council := known_authority(code)) is not None
    }
    return councils | names
