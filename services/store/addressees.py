"""Who is written to for an authority on a day: itself, or the successor of one that has been dissolved."""

from collections.abc import Collection
from datetime import date

from sqlalchemy import ColumnElement, Text, case, literal, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped

from matching.successions import dissolutions
from services.domain.reorganisation import for_predecessor
from services.store import authorities
from services.store.authorities import Authority, Mutes


async def addressee(session: AsyncSession, code: str, day: date) -> Authority | None:
    """Who is written to for one authority; None if nobody is in the register."""
    return (await addressees(session, [code], day)).get(code)


async def addressees(session: AsyncSession, codes: Collection[str], day: date) -> dict[str, Authority]:
    """Who is written to for these authorities, as far as they are in the register.

    For a dissolved authority this is a copy with its successor's name, mailbox and preferences. The copy has no mailbox
    if the authority was divided, or if its successor is not in the register.
    """
    dissolved = dissolutions(day)
    heirs = {code: heir.successor for code in codes if (heir := dissolved.get(code)) is not None}
    rows = await authorities.by_codes(session, sorted({*codes, *heirs.values()}))
    found = {code: rows[code] for code in codes if code in rows and code not in dissolved}
    for code in (code for code in codes if code in dissolved):
        row = rows.get(heirs.get(code, ""))
        if row is not None:
            name = for_predecessor(row.name, code)
            found[code] = Authority(**row.model_dump() | {"authority": code, "name": name})
        elif code in rows:
            found[code] = Authority(**rows[code].model_dump() | {"mailbox": None})
    return found


def written_to(code: str, day: date) -> str:
    """The code of who is written to for one authority: its own if it was divided, which reaches nobody."""
    heir = dissolutions(day).get(code)
    return heir.successor if heir is not None else code


async def mutes_for(session: AsyncSession, code: str, day: date) -> Mutes:
    """The mutes that hold for emails about an authority's plans: its own, and those of who is written to for it."""
    found = (await authorities.mutes_of(session, sorted({code, written_to(code, day)}))).values()
    return Mutes(
        frozenset[str]().union(*(one.partners for one in found)),
        frozenset[str]().union(*(one.opportunities for one in found)),
    )


def addressee_code(column: Mapped[str], day: date) -> ColumnElement[str]:
    """A column of authorities as the codes of those who are written to for them; empty for a divided one."""
    heirs = {code: heir.successor if heir else "" for code, heir in dissolutions(day).items()}
    whens = [(column == code, literal(heir)) for code, heir in heirs.items()]
    return case(*whens, else_=column) if whens else type_coerce(column, Text)
