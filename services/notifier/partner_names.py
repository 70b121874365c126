"""The names of partners in emails: from the register, or a council's own name. Events never contain them."""

from collections.abc import Collection
from datetime import date
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from matching.reference import authority as known_authority
from services.domain.reorganisation import is_dissolved, name_on
from services.store.addressees import addressees

UNNAMED: Final = "another authority"
"""The name of a partner from an earlier email that has left the register since."""


async def names_of(session: AsyncSession, codes: Collection[str], today: date) -> dict[str, str]:
    """The names of partners from the register, or of the council with their code. Emails leave out all other partners.

    A publisher can put any text into an authority's code, and a subject line would carry it to others. A dissolved
    council gets its successor's name.
    """
    registered = await addressees(session, codes, today)
    names = {code: row.name for code, row in registered.items() if row.mailbox or not is_dissolved(code, today)}
    councils = {
        code: name_on(code, today) if is_dissolved(code, today) else council.name
        for code in codes
        if (council := known_authority(code)) is not None
    }
    return councils | names
