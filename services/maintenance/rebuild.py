"""Rebuild: recomputes everything from the plan log in shadow tables, and compares the live tables with it.

It reads one snapshot throughout. Changes that matchers make meanwhile stay: they come from the same log. Applying the
result causes no notification.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from matching.engine import Features
from matching.plan_set import PlanSet
from services.domain.ids import IdKey, opportunity_id
from services.domain.opportunity import AssessedPair, SettlementContext
from services.domain.opportunity_status import OpportunityStatus
from services.maintenance.dry_run import detached_copy, dry_run, is_consistent
from services.matcher.context import MatcherContext
from services.matcher.pending_writes import PendingWrites, withdraw
from services.matcher.quarantine import UNKNOWN
from services.matcher.settlement import WrongGenerationError
from services.store import advisory_locks, id_keys, plans, shadow_tables
from services.store import generation as generations
from services.store.database import Sessions, transaction
from services.store.mapping import plan_from_store
from services.store.opportunities import Opportunity, to_columns
from services.store.plans import PlanRecord
from services.store.replay_log import FULL_STATE_TYPES, differs_from_log, replay_plan
from services.store.state_hash import StateHash, state_hash

AT_ONCE: Final = 200
COMPARED: Final = ("status", "score", "band", "revision_a", "revision_b", "assessed_as_of", "review_on", "generation")

ProgressCallback = Callable[[str, int, int], None]
"""Called with progress: the step, the number done, the total."""


class RebuildError(Exception):
    """The rebuild can't be done; the message gives the reason and the remedy. Nothing live was changed."""


@dataclass(frozen=True, slots=True)
class PlanDifference:
    """A live plan that differs from the log; None if it is missing, or not in the log at all."""

    plan_id: str
    live: tuple[int, int] | None
    rebuilt: int | None


@dataclass(frozen=True, slots=True)
class PairDifference:
    """A live pair that differs from the rebuild: (status, score, band) of each, None if missing.

    `untold`: the last notification no longer holds, and the rebuild sends none. `seen` holds the live row's revision
    and day at the comparison.
    """

    opportunity_id: str
    plans: tuple[str, str]
    live: tuple[str, float, str] | None
    rebuilt: tuple[str, float, str]
    untold: bool
    seen: tuple[int, date] | None


@dataclass(slots=True)
class RebuildReport:
    """The result of a rebuild. `waiting` counts pairs left as they are, because a plan of theirs is not assessed
    yet."""

    generation: str
    as_of: date
    live: StateHash | None = None
    rebuilt: StateHash | None = None
    plans: list[PlanDifference] = field(default_factory=list)
    pairs: list[PairDifference] = field(default_factory=list)
    waiting_plans: int = 0
    waiting_pairs: int = 0

    @property
    def equal(self) -> bool:
        """Return whether the live tables match the log."""
        return not self.plans and not self.pairs and self.live == self.rebuilt


async def compare(
    context: MatcherContext, sessions: Sessions, view: AsyncSession, as_of: date, say: ProgressCallback
) -> RebuildReport:
    """Fill the shadow tables from the log and compare the live tables with them, all in `view`'s snapshot.

    `view` must be a REPEATABLE READ transaction, and stay open until the shadow tables are no longer needed. Active
    pairs are assessed as of the day of their last assessment, others as of `as_of`, so that no difference comes from
    the passing of time. Raises RebuildError if another rebuild is running or a pair can't be assessed,
    WrongGenerationError.
    """
    if not await advisory_locks.try_advisory_lock(view, advisory_locks.REBUILD):
        raise RebuildError("another rebuild is running on this database; wait until it has ended")
    await _same_generation(view, context)
    async with transaction(sessions) as writer:
        await shadow_tables.create(writer)
    found = RebuildReport(context.engine.generation.id, as_of)
    # Separate caches and plans: they come from the log, not from the live plans.
    run = _RebuildRun(
        MatcherContext(context.engine, context.embedder, context.settings),
        PlanSet(context.engine),
        sessions,
        view,
        await id_keys.load(view),
        found,
    )
    await run.replay(say)
    await run.judge(say)
    found.live = await state_hash(view)
    async with transaction(sessions, isolation="REPEATABLE READ") as reader:
        found.rebuilt = await state_hash(reader, shadow_tables.PLANS, shadow_tables.OPPORTUNITIES)
    return found


@dataclass(slots=True)
class _RebuildRun:
    """One comparison in progress."""

    context: MatcherContext
    candidates: PlanSet
    sessions: Sessions
    view: AsyncSession
    id_key: IdKey
    found: RebuildReport
    matchable: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    quarantined: set[str] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)

    async def replay(self, say: ProgressCallback) -> None:
        """Fill the shadow plans and the set of candidates."""
        total = len(await shadow_tables.all_ids(self.view))
        async for chunk in shadow_tables.replay_chunks(self.view, FULL_STATE_TYPES, AT_ONCE):
            live = await plans.by_id(self.view, [logged.newest.plan_id for logged in chunk])
            made = [replay_plan(logged, live.get(logged.newest.plan_id)) for logged in chunk]
            for plan in made:
                self._record_difference(plan, live.get(plan.plan_id))
            async with transaction(self.sessions) as writer:
                await shadow_tables.add(writer, shadow_tables.PLANS, [row.model_dump() for row in made])
            candidates = {plan.plan_id: plan for plan in made if plan.matchable}
            self.candidates.put(list((await self.context.features.compute(self.view, candidates)).values()))
            self.matchable |= candidates.keys()
            say("plans replayed", len(self.ids), max(total, len(self.ids)))
        # No process of ours wrote this live row.
        for plan_id in await shadow_tables.all_ids(self.view):
            if plan_id not in self.ids:
                stored = (await plans.by_id(self.view, [plan_id])).get(plan_id)
                if stored is not None:
                    seen = (stored.revision, stored.assessed_revision)
                    self.found.plans.append(PlanDifference(plan_id, seen, None))

    def _record_difference(self, plan: PlanRecord, live: PlanRecord | None) -> None:
        self.ids.add(plan.plan_id)
        if plan.quarantined:
            self.quarantined.add(plan.plan_id)
        elif plan.assessed_revision < plan.revision:
            self.waiting.add(plan.plan_id)
            self.found.waiting_plans += 1
        if differs_from_log(plan, live):
            seen = None if live is None else (live.revision, live.assessed_revision)
            self.found.plans.append(PlanDifference(plan.plan_id, seen, plan.revision))

    async def judge(self, say: ProgressCallback) -> None:
        """Fill the shadow opportunities: each pair once, with the plan of the lower id."""
        ids = sorted({*self.ids, *await shadow_tables.all_ids(self.view)})
        for start in range(0, len(ids), AT_ONCE):
            chunk = ids[start : start + AT_ONCE]
            live = await shadow_tables.opportunities_of(self.view, chunk)
            features = await self._features(live)
            rows = await asyncio.to_thread(self._rows, chunk, live, features)
            async with transaction(self.sessions) as writer:
                await shadow_tables.add(writer, shadow_tables.OPPORTUNITIES, [to_columns(row) for row in rows])
            say("plans compared", min(start + AT_ONCE, len(ids)), len(ids))

    async def _features(self, live: Iterable[Opportunity]) -> dict[str, Features]:
        """Process plans that can't be found any more but are still in an active pair."""
        named = {
            plan_id for row in live if row.status == OpportunityStatus.ACTIVE for plan_id in (row.plan_a, row.plan_b)
        }
        # The view's snapshot is older than the shadow tables.
        async with transaction(self.sessions) as reader:
            over = await shadow_tables.shadow_plans(reader, named - self.matchable)
        known = {plan_id: plan for plan_id, plan in over.items() if plan_from_store(plan) is not None}
        return await self.context.features.compute(self.view, known)

    def _rows(
        self, chunk: Sequence[str], live: Sequence[Opportunity], over: Mapping[str, Features]
    ) -> list[Opportunity]:
        by_key = {row.opportunity_id: row for row in live}
        rows = []
        for key, pair in sorted(self._pairs(chunk, live).items()):
            row = by_key.pop(key, None)
            rebuilt = self._row(key, pair, row, over)
            if rebuilt is not None:
                rows.append(rebuilt)
        # A withdrawn pair that the search does not find stays. Any other remaining row has a wrong id, and is
        # withdrawn.
        return rows + [
            detached_copy(row) if row.status != OpportunityStatus.ACTIVE else self._expected_withdrawn(row)
            for row in by_key.values()
        ]

    def _pairs(self, chunk: Sequence[str], live: Sequence[Opportunity]) -> dict[str, tuple[str, str]]:
        """Return the pairs found by search and the existing pairs of these plans, by opportunity id."""
        pairs = [(row.plan_a, row.plan_b) for row in live if row.status == OpportunityStatus.ACTIVE]
        found = self.candidates.search(sorted(self.matchable.intersection(chunk)), self.found.as_of)
        pairs += [(plan_id, other) for plan_id, others in found.items() for other in others]
        return {opportunity_id(self.id_key, a, b): (a, b) for a, b in pairs if a < b}

    def _row(
        self, key: str, pair: tuple[str, str], live: Opportunity | None, over: Mapping[str, Features]
    ) -> Opportunity | None:
        """Return the expected row of one pair, and note a difference from the live one."""
        if self.waiting.intersection(pair):
            self.found.waiting_pairs += 1
            return None if live is None else detached_copy(live)
        a, b = (over.get(plan_id) or self.candidates.get(plan_id) for plan_id in pair)
        if a is None or b is None or self.quarantined.intersection(pair):
            assert live is not None, "only existing pairs are processed without a search result"
            return self._expected_withdrawn(live)
        day = self.found.as_of
        if live is not None:
            day = live.assessed_as_of if live.status == OpportunityStatus.ACTIVE else max(day, live.assessed_as_of)
        try:
            assessment = self.context.engine.assess(a, b, day)
        except Exception as error:
            raise RebuildError(
                f"{pair[0]} and {pair[1]} can't be assessed ({type(error).__name__}); nothing was changed. A matcher "
                "that is running quarantines such a plan after three attempts; then rebuild again"
            ) from error
        sides = (a.plan, b.plan) if assessment.plans[0] == pair[0] else (b.plan, a.plan)
        base = None if live is None else _base_row(live)
        settling = SettlementContext(day, self.context.engine.generation, self.id_key)
        rebuilt = dry_run(base, key, AssessedPair(sides, assessment, None), settling)
        return None if rebuilt is None else self._note_difference(live, rebuilt)

    def _expected_withdrawn(self, live: Opportunity) -> Opportunity:
        """Build the withdrawn row of an active pair, one of whose plans is missing from the log, incomplete or
        quarantined."""
        row = detached_copy(live)
        try:
            withdraw(PendingWrites(), row, UNKNOWN, None)
        except ValidationError:
            raise RebuildError(
                f"opportunity {live.opportunity_id} is of plans that can't be assessed, and can't be read itself; "
                "restore its row from a backup"
            ) from None
        return self._note_difference(live, row)

    def _note_difference(self, live: Opportunity | None, row: Opportunity) -> Opportunity:
        """Note a difference, and return the row to apply. It keeps the content of the last notification."""
        untold = live is None or row.material_revision > live.material_revision
        if live is not None:
            _suppress_notification(row, live)
            if row.revision == live.revision and all(getattr(row, c) == getattr(live, c) for c in COMPARED):
                return row
        self.found.pairs.append(
            PairDifference(
                opportunity_id=row.opportunity_id,
                plans=(row.plan_a, row.plan_b),
                live=None if live is None else _outline(live),
                rebuilt=_outline(row),
                untold=untold,
                seen=None if live is None else (live.revision, live.assessed_as_of),
            )
        )
        return row


def _base_row(live: Opportunity) -> Opportunity:
    """Return the live row to start from; an inconsistent one is rewritten whatever the assessment."""
    row = detached_copy(live)
    if not is_consistent(live):
        row.content_hash = ""
    return row


def _suppress_notification(row: Opportunity, live: Opportunity) -> None:
    """Suppress the notification of a change. The next change is still compared with the last notification."""
    row.last_notified = live.last_notified
    if row.material_revision != live.material_revision:
        row.material_revision = live.material_revision
        row.payload = {**row.payload, "material_revision": live.material_revision}


def _outline(row: Opportunity) -> tuple[str, float, str]:
    return row.status, row.score, row.band


async def _same_generation(view: AsyncSession, context: MatcherContext) -> None:
    current = await generations.read(view)
    mine = context.generation
    if current is None:
        raise RebuildError("the database has no plans yet; start a matcher and publish some")
    if current.generation != mine.generation:
        raise WrongGenerationError(
            f"the database stands at generation {current.generation}, this process has {mine.generation}; rebuild with "
            "the policy, statistics and model of the database, or move it with `jointly reassess`"
        )
