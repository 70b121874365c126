"""I6: two replays of one history in different orders end in the same digest. `python -m tests.faults.orders --help`.

Each seed makes a history of a few plans: edits, withdrawals, awards, plans that are hidden, shared by halves and
brought back, a fifth of the events twice. It is handled once in one order by one matcher, then, on empty tables, in
another order by two matchers at the same time, each with batches of other sizes; then rebuilt from the log. All three
digests must be equal, and the active pairs those of an offline run over the newest revisions. The real steps run on a
real PostgreSQL. (Of two contents of one revision the first to come is kept, so histories have none.)
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import text

from events.envelope import encode
from events.plans import PlanAwarded, PlanPayload, PlanState, PlanUpdated, PlanWithdrawn
from matching.embedding import load_embedder
from services.embedded.postgres import postgres
from services.matcher.app import adopt
from services.matcher.handling import Matcher
from services.matcher.rebuilding import compare
from services.matcher.sweeper import sweep
from services.matcher.world import World
from services.publisher.producing import plan_event
from services.runtime import logs
from services.runtime.settings import Settings
from services.store.base import Sessions, make_engine, make_sessions, transaction
from services.store.digest import Digest, digest
from services.store.migrate import migrate
from tests.pipeline import AS_OF, all_pairs, engine, invented_plans

PLANS, SUBJECTS = 14, 3
SAID_EVERY = 50
TABLES = "plan_log, plans, opportunities, outbox"


def history(seed: int, count: int = PLANS, subjects: int = SUBJECTS) -> list[PlanPayload]:
    """Plans with their revisions in some order, some events twice; always the same for a seed."""
    chance = random.Random(seed)
    events: list[PlanPayload] = []
    for plan in invented_plans(count, subjects):
        events.append(plan)
        for revision in range(2, 2 + chance.choice((0, 0, 1, 2, 3))):
            named = {"plan_id": plan.plan_id, "revision": revision, "authority": plan.authority}
            change = chance.choice(
                (
                    {"value": {"amount": chance.randrange(20, 900) * 1000}},
                    {"tender_window": {"earliest": "2027-06-01", "latest": f"2027-{chance.randrange(7, 13):02d}-28"}},
                    {"title": "A nursery for herons"},
                    {"sharing": "match_only"},
                    {"sharing": "private"},
                    {},
                    None,
                )
            )
            if change is not None:
                events.append(PlanUpdated.model_validate({**plan.model_dump(), **named, **change}))
            else:
                events.append(chance.choice((PlanWithdrawn, PlanAwarded))(**named))
    events += chance.sample(events, len(events) // 5)
    chance.shuffle(events)
    return events


def newest(events: Sequence[PlanPayload]) -> list[PlanState]:
    """The plans that can be matched once all events have come."""
    last = {event.plan_id: event for event in sorted(events, key=lambda event: event.revision)}
    return [event for event in last.values() if isinstance(event, PlanState) and event.sharing != "private"]


@dataclass
class Found:
    """What the replays of one seed ended in. `rebuilt` is made from the second replay's log."""

    seed: int
    events: int
    digests: dict[str, Digest]
    complete: bool

    @property
    def ok(self) -> bool:
        return self.complete and len({found.sha256 for found in self.digests.values()}) == 1


async def replay(sessions: Sessions, events: Sequence[PlanPayload], seed: int, matchers: int) -> Digest:
    """Empties the tables and has the matchers handle the events, each its share, all at the same time."""
    chance = random.Random(seed)
    async with transaction(sessions) as session:
        await session.execute(text(f"TRUNCATE {TABLES}"))
    worlds = [World(engine(), load_embedder("hashing"), Settings(as_of=AS_OF)) for _ in range(matchers)]
    shares: list[list[PlanPayload]] = [[] for _ in worlds]
    for event in events:
        chance.choice(shares).append(event)
    await asyncio.gather(*(_handle(w, sessions, s, chance) for w, s in zip(worlds, shares, strict=True)))
    # What two handlers have left to each other.
    await sweep(worlds[0], sessions)
    async with transaction(sessions, isolation="REPEATABLE READ") as session:
        return await digest(session)


async def _handle(world: World, sessions: Sessions, events: Sequence[PlanPayload], chance: random.Random) -> None:
    matcher = Matcher(world, sessions, producer=None)  # type: ignore[arg-type]
    start = 0
    while start < len(events):
        size = chance.choice((1, 8, 16, 32))
        await matcher.handle([_record(event) for event in events[start : start + size]])  # type: ignore[arg-type]
        start += size


def _record(payload: PlanPayload) -> Any:
    message = encode(plan_event(payload), payload.plan_id)
    place = {"topic": "procurement.plans.v1", "partition": 0, "offset": 0}
    return SimpleNamespace(**place, key=message.key, headers=message.headers, value=message.value)


async def examine(sessions: Sessions, seed: int) -> Found:
    """Runs one seed."""
    events = history(seed)
    other = list(events)
    random.Random(seed + 1).shuffle(other)
    digests = {"one matcher": await replay(sessions, events, seed, 1)}
    digests["two matchers"] = await replay(sessions, other, seed + 1, 2)
    world = World(engine(), load_embedder("hashing"), Settings(as_of=AS_OF))
    async with transaction(sessions, isolation="REPEATABLE READ") as view:
        compared = await compare(world, sessions, view, AS_OF, lambda *_: None)
    assert compared.rebuilt is not None
    digests["rebuilt"] = compared.rebuilt
    async with transaction(sessions) as session:
        rows = await session.execute(
            text("SELECT plan_a, plan_b, score, band FROM opportunities WHERE status = 'active'")
        )
        active = {(a, b): (score, band) for a, b, score, band in rows}
    return Found(seed, len(events), digests, complete=compared.equal and active == all_pairs(newest(events)))


async def run(url: str, seeds: Sequence[int]) -> list[Found]:
    """Runs the seeds one after the other on one migrated database."""
    database = make_engine(url)
    sessions = make_sessions(database)
    try:
        await adopt(World(engine(), load_embedder("hashing"), Settings(as_of=AS_OF)), sessions)
        found = []
        for seed in seeds:
            found.append(await examine(sessions, seed))
            if len(found) % SAID_EVERY == 0:
                print(f"{len(found)} seeds, {sum(not item.ok for item in found)} failed", file=sys.stderr)  # noqa: T201
        return found
    finally:
        await database.dispose()


def main() -> int:
    """Prints what was found; 1 where any seed's digests differ."""
    parser = argparse.ArgumentParser(description="Two replays in different order end in the same digest.")
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first seed; one seed again: --first N --seeds 1")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    given = parser.parse_args()
    logs.setup("orders", "WARNING")
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="jointly-orders-") as folder,
        postgres(Path(folder), durable=False) as server,
    ):
        url = server.create_database("orders")
        migrate(url)
        found = asyncio.run(run(url, range(given.first, given.first + given.seeds)))
    failed = [item.seed for item in found if not item.ok]
    said = {
        "seeds": len(found),
        "failed": failed,
        "events": sum(item.events for item in found),
        "replays": 2 * len(found),
        "pairs": sum(item.digests["rebuilt"].pairs for item in found),
        "seconds": round(time.monotonic() - began, 1),
    }
    print(json.dumps(said) if given.json else " ".join(f"{name}={value}" for name, value in said.items()))  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
