"""I6: two replays of one history in different orders end in the same digest (`--help` says how to run it).

Each seed makes a history of a few plans: edits, withdrawals, awards, plans that are hidden, shared by halves and
brought back, a fifth of the events twice. It is handled once in one order by one matcher, then, on empty tables, in
another order by two matchers at the same time, each with batches of other sizes; then rebuilt from the log. All three
digests must be equal. The real steps run on a real PostgreSQL. (Of two contents of one revision the first to come is
kept, so histories have none.)

After each replay the active pairs are also held against an offline run that assesses every pair of newest revisions,
one by one, without any search: a pair that the database lacks is missed, one that it should not have (or has with
another score) is stale. `pairs_assessed` counts the pairs so held.

`--file` keeps the totals: started again it goes on with the next seed.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path

from sqlalchemy import text

from events.plans import PlanAwarded, PlanPayload, PlanState, PlanUpdated, PlanWithdrawn
from matching.assessment import Band
from matching.encoders.loading import load_embedder
from services.local_stack.postgres import postgres
from services.maintenance.rebuild import compare
from services.matcher.app import adopt
from services.matcher.batch_handler import Matcher
from services.matcher.context import MatcherContext
from services.matcher.sweeper import sweep
from services.platform import logs
from services.platform.settings import Settings
from services.store.database import Sessions, make_engine, make_sessions, transaction
from services.store.migrate import migrate
from services.store.state_hash import StateHash, state_hash
from tests.pipeline import AS_OF, engine, features_of, invented_plans, record_of

PLANS_A_SUBJECT = 5
WIDE, WIDE_EVERY = 240, 33
"""Most histories are of 6 to 14 plans, where many orders can be tried; every 33rd of many, for the pairs."""
SAID_EVERY = 50
TABLES = "plan_log, plans, opportunities, outbox"


def plans_of(seed: int) -> int:
    """How many plans a seed's history has."""
    return 6 + seed % 9 if seed % WIDE_EVERY else WIDE


def history(seed: int, count: int, subjects: int | None = None) -> list[PlanPayload]:
    """Plans with their revisions in some order, some events twice; always the same for a seed and a count."""
    chance = random.Random(seed)
    events: list[PlanPayload] = []
    for plan in invented_plans(count, subjects or -(-count // PLANS_A_SUBJECT)):
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


Pairs = dict[tuple[str, str], tuple[float, str]]
"""Score and band of each opportunity, by its two plans."""


def every_pair(states: Sequence[PlanState]) -> tuple[Pairs, int]:
    """Every pair of plans assessed by itself: the opportunities among them, and how many pairs there were."""
    found: Pairs = {}
    count = 0
    for first, second in combinations(sorted(features_of(states), key=lambda item: item.plan.plan_id), 2):
        assessment = engine().assess(first, second, AS_OF)
        count += 1
        if assessment.band is not Band.NONE:
            found[first.plan.plan_id, second.plan.plan_id] = (assessment.score, assessment.band.value)
    return found, count


@dataclass
class Found:
    """What the replays of one seed ended in. `rebuilt` is made from the second replay's log.

    `missed` and `stale` are of all replays together, `assessed` the pairs that each was held against, added up.
    """

    seed: int
    events: int
    expected: Pairs
    pairs: int
    digests: dict[str, StateHash] = field(default_factory=dict)
    assessed: int = 0
    missed: int = 0
    stale: int = 0
    rebuilt: bool = False

    def hold(self, active: Pairs) -> None:
        """Counts what a replay's active pairs lack, and what they have too much."""
        self.assessed += self.pairs
        self.missed += len(self.expected.keys() - active.keys())
        self.stale += sum(self.expected.get(pair) != found for pair, found in active.items())

    @property
    def ok(self) -> bool:
        same = len({found.sha256 for found in self.digests.values()}) == 1
        return self.rebuilt and same and not self.missed and not self.stale


async def replay(
    sessions: Sessions, events: Sequence[PlanPayload], seed: int, matchers: int
) -> tuple[StateHash, Pairs]:
    """Empties the tables and has the matchers handle the events, each its share, all at the same time. Returns the
    digest and the active pairs of what came of it."""
    chance = random.Random(seed)
    async with transaction(sessions) as session:
        await session.execute(text(f"TRUNCATE {TABLES}"))
    contexts = [MatcherContext(engine(), load_embedder("hashing"), Settings(as_of=AS_OF)) for _ in range(matchers)]
    shares: list[list[PlanPayload]] = [[] for _ in contexts]
    for event in events:
        chance.choice(shares).append(event)
    await asyncio.gather(*(_handle(w, sessions, s, chance) for w, s in zip(contexts, shares, strict=True)))
    # What two handlers have left to each other.
    await sweep(contexts[0], sessions)
    async with transaction(sessions, isolation="REPEATABLE READ") as session:
        rows = await session.execute(
            text("SELECT plan_a, plan_b, score, band FROM opportunities WHERE status = 'active'")
        )
        return await state_hash(session), {(a, b): (score, band) for a, b, score, band in rows}


async def _handle(
    context: MatcherContext, sessions: Sessions, events: Sequence[PlanPayload], chance: random.Random
) -> None:
    matcher = Matcher(context, sessions, producer=None)  # type: ignore[arg-type]
    start = 0
    while start < len(events):
        size = chance.choice((1, 8, 16, 32))
        await matcher.handle([record_of(event) for event in events[start : start + size]])  # type: ignore[arg-type]
        start += size


async def examine(sessions: Sessions, seed: int, plans: int | None = None) -> Found:
    """Runs one seed."""
    events = history(seed, plans or plans_of(seed))
    other = list(events)
    random.Random(seed + 1).shuffle(other)
    found = Found(seed, len(events), *every_pair(newest(events)))
    for name, order, matchers in (("one matcher", events, 1), ("two matchers", other, 2)):
        found.digests[name], active = await replay(sessions, order, seed + matchers - 1, matchers)
        found.hold(active)
    context = MatcherContext(engine(), load_embedder("hashing"), Settings(as_of=AS_OF))
    async with transaction(sessions, isolation="REPEATABLE READ") as view:
        compared = await compare(context, sessions, view, AS_OF, lambda *_: None)
    assert compared.rebuilt is not None
    found.digests["rebuilt"] = compared.rebuilt
    found.rebuilt = compared.equal
    return found


async def run(url: str, seeds: Iterable[int], plans: int | None = None) -> list[Found]:
    """Runs the seeds; what each was found to end in."""
    return [found async for found in each(url, seeds, plans)]


async def each(url: str, seeds: Iterable[int], plans: int | None = None) -> AsyncIterator[Found]:
    """Runs the seeds one after the other on one migrated database."""
    database = make_engine(url)
    sessions = make_sessions(database)
    try:
        await adopt(MatcherContext(engine(), load_embedder("hashing"), Settings(as_of=AS_OF)), sessions)
        for seed in seeds:
            yield await examine(sessions, seed, plans)
    finally:
        await database.dispose()


@dataclass
class Totals:
    """What all seeds came to. `seeds` is also the last one that was run: the next run goes on behind it."""

    plans: int | None
    first: int
    seeds: int = 0
    failed: list[int] = field(default_factory=list)
    events: int = 0
    replays: int = 0
    opportunities: int = 0
    pairs_assessed: int = 0
    missed: int = 0
    stale: int = 0
    seconds: float = 0.0

    def add(self, found: Found, seconds: float) -> None:
        """Adds one seed."""
        self.seeds += 1
        self.failed += [] if found.ok else [found.seed]
        self.events += found.events
        self.replays += 2
        self.opportunities += len(found.expected)
        self.pairs_assessed += found.assessed
        self.missed += found.missed
        self.stale += found.stale
        self.seconds = round(self.seconds + seconds, 1)


async def _run_all(url: str, totals: Totals, seeds: int, file: Path | None) -> None:
    began = time.monotonic()
    async for found in each(url, range(totals.first + totals.seeds, totals.first + seeds), totals.plans):
        totals.add(found, time.monotonic() - began)
        began = time.monotonic()
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(asdict(totals)))
        if totals.seeds % SAID_EVERY == 0:
            print(f"{totals.seeds} seeds, {len(totals.failed)} failed", file=sys.stderr)  # noqa: T201


def main() -> int:
    """Prints what was found; 1 where any seed's digests differ."""
    parser = argparse.ArgumentParser(description="Two replays in different order end in the same digest.")
    parser.add_argument("--seeds", type=int, default=100, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first seed; one seed again: --first N --seeds 1")
    parser.add_argument(
        "--plans", type=int, help="plans in each history; 6 to 14 where not given, and 240 in every 33rd"
    )
    parser.add_argument("--file", type=Path, help="keep the totals there, and go on from what they hold")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    given = parser.parse_args()
    logs.setup("orders", "WARNING")
    totals = Totals(given.plans, given.first)
    if given.file is not None and given.file.exists():
        totals = Totals(**json.loads(given.file.read_text()))
        if (totals.plans, totals.first) != (given.plans, given.first):
            parser.error(
                f"{given.file} holds totals of --first {totals.first} --plans {totals.plans}; name another file"
            )
    with (
        tempfile.TemporaryDirectory(prefix="jointly-orders-") as folder,
        postgres(Path(folder), durable=False) as server,
    ):
        url = server.create_database("orders")
        migrate(url)
        asyncio.run(_run_all(url, totals, given.seeds, given.file))
    said = asdict(totals)
    print(json.dumps(said) if given.json else " ".join(f"{name}={value}" for name, value in said.items()))  # noqa: T201
    return 1 if totals.failed else 0


if __name__ == "__main__":
    sys.exit(main())
