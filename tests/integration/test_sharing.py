"""Queries and rules read `sharing` alike, and both hide a plan whose content leaves it out."""

from typing import Any

from sqlalchemy import literal, select, text
from sqlalchemy.dialects.postgresql import JSONB

from matching.plan import Sharing
from services.domain import disclosure
from services.store import sharing
from services.store.database import Sessions

READINGS: list[tuple[dict[str, Any] | None, Sharing]] = [
    ({"sharing": "open"}, Sharing.OPEN),
    ({"sharing": "match_only"}, Sharing.MATCH_ONLY),
    ({"sharing": "private"}, Sharing.PRIVATE),
    ({"title": "Payroll"}, Sharing.PRIVATE),
    (None, Sharing.PRIVATE),
]


async def test_a_query_reads_a_payload_as_the_rules_do(sessions: Sessions) -> None:
    async with sessions() as session:
        for state, reading in READINGS:
            row = select(literal(state, JSONB(none_as_null=True)).label("state")).subquery()
            query = select(
                sharing.is_open(row.c.state),
                sharing.is_private(row.c.state),
                text(sharing.open_sql("state")),
                text(sharing.match_only_sql("state")),
                text(sharing.shared_sql("state")),
            ).select_from(row)
            found = tuple((await session.execute(query)).one())
            is_open, is_private = reading is Sharing.OPEN, reading is Sharing.PRIVATE
            assert found == (is_open, is_private, is_open, reading is Sharing.MATCH_ONLY, not is_private), state
            assert disclosure.sharing_of(state) is reading
            assert (disclosure.is_open(state), disclosure.is_private(state)) == (is_open, is_private)
