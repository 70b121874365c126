"""Whose words are near a plan's new words: the newest vectors are compared here, in memory, all others by HNSW.

A new vector costs HNSW as much as everything else that a plan costs the database, and looking it up as much again.
Comparing it with some thousands of others at once costs a tenth of a millisecond; so a vector goes into HNSW only
when there are many newer ones, and then beside everything else.
"""

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from matching.candidates.pair_vector import DIMENSIONS
from matching.candidates.vector_scan import Vectors
from services.platform import logs, retry
from services.store import vectors
from services.store.database import Sessions, transaction
from services.store.pipelined_queries import Query, answer, ask
from services.store.search import Near
from services.store.vectors import MOST, NOTHING_SEEN, Newest, Unsearched

TIDY_SECONDS: Final = 60.0
"""How often what has left the newest vectors is looked for; until then it only takes room."""
_MOVED_AT_ONCE: Final = 100

log: Final = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What a search begins with, asked in its snapshot."""

    unsearched: Query[dict[str, Unsearched]]
    newest: Query[Newest]

    @property
    def queries(self) -> tuple[Query[Any], ...]:
        """Both."""
        return self.unsearched, self.newest


class Nearest:
    """The newest vectors as an array that follows the snapshot of whoever asks."""

    def __init__(self) -> None:
        self._vectors = Vectors(DIMENSIONS)
        self._seen = self._dropped_at = NOTHING_SEEN
        self._moved = False
        self._tidied = time.monotonic()
        self._following = asyncio.Lock()

    def look(self, plan_ids: Collection[str]) -> Look:
        """What is asked about these plans, and for what is not in the array yet."""
        return Look(vectors.unsearched(plan_ids), vectors.newest(self._seen))

    async def near(
        self, session: AsyncSession, plan_ids: Collection[str], least: float, look: Look | None = None
    ) -> dict[str, Near]:
        """For those of these plans whose words were not searched for yet, whose vectors have an inner product of at
        least `least` with theirs. The session's transaction must be REPEATABLE READ. `look`: what was asked already."""
        if look is None:
            look = self.look(plan_ids)
            await ask(session, *look.queries)
        asking = {key: one for key, one in look.unsearched.answer.items() if key in plan_ids}
        if not (asking or look.newest.answer.vectors):
            return {}
        asked = [one.vector for one in asking.values()]
        async with self._following:
            # Also where nobody asks: what came would come again with every look.
            await self.follow(session, look.newest.answer)
            if not asking:
                return {}
            by_memory = await asyncio.to_thread(self._vectors.near, asked, least, MOST)
            moved = self._moved
        by_hnsw = await answer(session, vectors.near(asking, least)) if moved else {}
        return {
            plan_id: Near(one.content, sorted({*others, *by_hnsw.get(plan_id, ())} - {plan_id}))
            for (plan_id, one), others in zip(asking.items(), by_memory, strict=True)
        }

    async def follow(self, session: AsyncSession, newest: Newest) -> None:
        """Brings the array to the session's snapshot, which shows these to be newer; one at a time. What is newer than
        that may stay: who asks later needs it, and reads it again if it was dropped here."""
        tidy = time.monotonic() - self._tidied > TIDY_SECONDS
        outside = await vectors.outside_hnsw(session) if tidy else None
        if _is_older(newest.snapshot, self._dropped_at):
            # What was dropped had gone into HNSW, where a snapshot from before does not show it yet.
            newest = await answer(session, vectors.newest())
        elif _is_older(self._seen, newest.seen):
            # Since this was asked, an earlier snapshot has dropped or put back what it had not seen.
            newest = await answer(session, vectors.newest(self._seen))
        # From here on all at once: what is dropped has to be read again by whoever sees it.
        if outside is not None:
            self._vectors.keep(outside)
            self._tidied, self._dropped_at = time.monotonic(), newest.snapshot
        self._vectors.put(newest.vectors)
        self._seen, self._moved = newest.snapshot, newest.moved


async def move_for_ever(sessions: Sessions, beyond: int, every_seconds: float) -> None:
    """Moves the oldest vectors into HNSW whenever there are more than `beyond` newer ones. Beside the sweeper, not in
    it: after a large load this goes on for minutes, and plans that a crash left behind must not wait for it."""
    while True:
        try:
            await move_oldest(sessions, beyond)
        except Exception as error:
            log.warning("vectors not moved, the next round will try again", error=retry.describe(error))
        await asyncio.sleep(every_seconds)


async def move_oldest(sessions: Sessions, beyond: int) -> int:
    """Has HNSW take over the oldest vectors, as many as there are outside it beyond `beyond`. How many it took: no more
    once another matcher does it."""
    async with transaction(sessions) as session:
        too_many = await vectors.how_many_outside(session) - beyond
    moved = 0
    while moved < too_many:
        async with transaction(sessions) as session:
            some = await vectors.move_to_hnsw(session, min(too_many - moved, _MOVED_AT_ONCE))
        if not some:
            break
        moved += some
    return moved


def _is_older(snapshot: str, other: str) -> bool:
    """Whether a snapshot was taken before another one (both as PostgreSQL writes them: xmin:xmax:xip,...), so that a
    transaction may be shown by the other alone."""
    (_, xmax, running), (_, other_xmax, other_running) = (one.split(":") for one in (snapshot, other))
    if xmax != other_xmax:
        return int(xmax) < int(other_xmax)
    return not set(filter(None, running.split(","))) <= set(other_running.split(","))
