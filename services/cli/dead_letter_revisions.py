"""Finds dead letters whose replay would leave an old state as the last record of its key on a compacted topic.

Readers of a compacted topic take the last record of a key as the current state.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.cloudevents import EnvelopeError, decode
from events.coalitions import COALITION_PAYLOADS, CoalitionState
from events.dead_letters import DeadLetter
from events.opportunities import OPPORTUNITY_PAYLOADS, OpportunityState
from events.topics import COALITIONS, OPPORTUNITIES
from services.cli.database import with_database
from services.store import coalitions
from services.store.database import Sessions

OUTDATED: Final = "readers have a newer state of it, or its revision can't be read"
_PAYLOADS: Final = {OPPORTUNITIES.name: OPPORTUNITY_PAYLOADS, COALITIONS.name: COALITION_PAYLOADS}


def find_outdated(letters: Sequence[DeadLetter]) -> set[str]:
    """Return the ids of letters of compacted topics below the database's revision, or without a readable one.

    Needs the database only where there is such a letter. Raises SettingsError, and the driver's errors.
    """
    compacted = [letter for letter in letters if letter.origin.topic in _PAYLOADS]
    return with_database(lambda sessions: outdated_among(sessions, compacted)) if compacted else set()


async def outdated_among(sessions: Sessions, letters: Sequence[DeadLetter]) -> set[str]:
    """Compare letters of compacted topics with the database; return the ids of those that are outdated."""
    async with sessions() as session:
        return {letter.dead_letter_id for letter in letters if await _is_outdated(session, letter)}


async def _is_outdated(session: AsyncSession, letter: DeadLetter) -> bool:
    headers = [(header.name, header.value) for header in letter.headers]
    try:
        state = decode(headers, letter.value, _PAYLOADS[letter.origin.topic]).payload
    except EnvelopeError:
        return True
    if isinstance(state, OpportunityState):
        row = await coalitions.load_opportunity(session, state.opportunity_id)
        return row is not None and (row.revision > state.revision or row.tombstoned_at is not None)
    assert isinstance(state, CoalitionState)
    coalition = await coalitions.load(session, state.coalition_id)
    return coalition is not None and coalition.revision > state.revision
