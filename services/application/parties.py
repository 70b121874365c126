"""Imports and exports parties, and shows one with its members."""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.application.party_csv import PartyEntry, to_csv
from services.domain.parties import Party
from services.store import authorities
from services.store import parties as store
from services.store.authorities import AuthorityUpdate, SaveResult


async def import_parties(session: AsyncSession, entries: Sequence[PartyEntry]) -> dict[str, int]:
    """Replace parties, and write their names and mailboxes to the register. Returns the count of each result."""
    tally: Counter[str] = Counter(dict.fromkeys(SaveResult, 0))
    for entry in entries:
        registered, _ = await authorities.save(session, AuthorityUpdate(entry.party.party, entry.fields))
        saved = await store.save(session, entry.party)
        tally[SaveResult.CHANGED if saved == SaveResult.UNCHANGED and registered == SaveResult.CHANGED else saved] += 1
    return dict(tally)


async def export_parties(session: AsyncSession) -> str:
    """All parties as CSV, with their mailboxes."""
    found = await store.all_parties(session)
    register = await authorities.by_codes(session, [one.party for one in found])
    return to_csv(found, {code: row.mailbox for code, row in register.items()})


def party_json(one: Party, day: date) -> dict[str, Any]:
    """A party for programs, with its members on a day."""
    return {
        "party": one.party,
        "kind": one.kind.value,
        "name": one.name,
        "as_of": day.isoformat(),
        "members": sorted(one.members_on(day)),
    }
