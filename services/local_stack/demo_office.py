"""The programme office of the demo: every authority of the plans is its member."""

from collections.abc import Iterable
from datetime import date
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.application.parties import import_parties
from services.application.party_csv import PartyEntry
from services.domain.parties import Membership, Party, PartyKind

OFFICE: Final = "GB-X-DEMO-OFFICE"
OFFICE_NAME: Final = "Demo programme office"


async def register_office(session: AsyncSession, codes: Iterable[str], day: date) -> None:
    """Register the office, with a mailbox that no email can ever reach and members since this day."""
    members = tuple(Membership(code, day) for code in sorted(set(codes)))
    party = Party(OFFICE, PartyKind.PROGRAMME_OFFICE, OFFICE_NAME, members)
    fields = {"name": OFFICE_NAME, "mailbox": "office@demo-programme-office.example"}
    await import_parties(session, [PartyEntry(party, fields)])
