"""Intents that wait in the table, in another order than their ids."""

from datetime import timedelta
from typing import Final

from sqlalchemy import text

from services.store.database import Sessions, now, transaction

LEEDS: Final = "E08000035"
IDS: Final = (3, 2, 1)
"""The order in which rows lie in the table."""


async def put_intents(sessions: Sessions, state: str = "pending") -> None:
    """An intent of Leeds for each of `IDS`, due in three days."""
    later = now() + timedelta(days=3)
    statement = text(
        "INSERT INTO notification_intents (id, opportunity_id, material_revision, authority, partner, channel,"
        " occasion, purpose, band, change, only_if_notified, possibly_delivered, state, mail_count, source_event_id,"
        " due_at, created_at, updated_at)"
        " OVERRIDING SYSTEM VALUE VALUES (:id, :opportunity, 1, :authority, 'P', 'email', '',"
        " 'digest', 'digest', 'new', false, false, :state, 0, 'e', :later, :later, :later)"
    )
    async with transaction(sessions) as session:
        for number in IDS:
            given = {"id": number, "opportunity": f"o{number}", "authority": LEEDS, "state": state, "later": later}
            await session.execute(statement, given)
