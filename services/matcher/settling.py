"""Step 5: what was judged becomes state and events, in one transaction that holds all plans involved.

Whoever settles a pair holds both plans' rows, in the order of their ids. A pair whose partner has moved on
is left alone: the partner's own handler searches after our commit and finds it.

Others wait while we hold them, and longer where our share of the processor is used up just then. So what is to be
written is drafted before, from the rows as they are read without locks; what is held is only compared with that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy.ext.asyncio import AsyncSession

from matching.engine import Generation
from matching.plan import Plan
from services.matcher.judging import Judged
from services.matcher.writing import Context, Kept, Pair, write
from services.runtime import faults, metrics
from services.store import generations, plans, search
from services.store import opportunities as store
from services.store.base import Sessions, reading
from services.store.opportunities import OpportunityRow, Versioned
from services.store.queries import Query, answer
from services.store.rows import Writes
from services.store.search import Near
from services.translation import opportunity_id


class WrongGenerationError(faults.Halt):
    """The database was decided under another policy, statistics or model than this process has."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be written of a pair while both plans stand and its row is of this version, None where it has no row.

    `behind`: nothing, as the row was judged on a later day than ours.
    """

    pair: Pair
    version: str | None
    kept: Kept
    behind: bool


@dataclass(frozen=True, slots=True)
class Held:
    """What a settlement begins with: it holds the generation and all plans involved, and what their pairs' rows are."""

    generation: Query[str | None]
    locked: Query[dict[str, int]]
    versions: Query[dict[str, str]]

    @classmethod
    def of(cls, judged: Sequence[Judged], drafts: Iterable[str]) -> Self:
        """For what was judged, and the opportunities that were drafted."""
        involved = {judgement.plan.plan.plan_id for judgement in judged}
        involved |= {other_id for judgement in judged for other_id in (*judgement.pairs, *judgement.unlike)}
        return cls(generations.holding(), plans.locking(involved), store.versions_of(drafts))

    @property
    def queries(self) -> tuple[Query[Any], ...]:
        """In the order in which everybody takes these locks."""
        return self.generation, self.locked, self.versions


async def draft(sessions: Sessions, judged: Sequence[Judged], context: Context) -> dict[str, Draft]:
    """What is to become of all pairs if nobody writes of them meanwhile; nothing is held."""
    pairs = _pairs(judged, context.traces)
    if not pairs:
        return {}
    async with reading(sessions) as session:
        return await _drafts(session, pairs, context)


async def settle(
    session: AsyncSession,
    judged: Sequence[Judged],
    held: Held,
    drafts: Mapping[str, Draft],
    context: Context,
    near: Mapping[str, Near],
) -> None:
    """Writes opportunities, their events, how far each plan has been assessed and what the index is to keep of whom
    was found `near`, and commits. What is `held` was asked in this transaction; `drafts` were made before it.

    Raises WrongGenerationError where the database's generation is not this process's.
    """
    _same_generation(held.generation.answer, context.generation)
    locked, versions = held.locked.answer, held.versions.answer
    current = [judgement for judgement in judged if _stands(judgement.plan.plan, locked)]
    metrics.PLANS_ABANDONED.inc(len(judged) - len(current))

    partners = (partner for judgement in current for partner, _ in judgement.pairs.values())
    metrics.PAIRS_SKIPPED.inc(sum(not _stands(partner.plan, locked) for partner in partners))
    pairs = {key: one for key, one in sorted(drafts.items()) if all(_stands(plan, locked) for plan in one.pair.plans)}
    moved = {key: one.pair for key, one in pairs.items() if one.version != versions.get(key)}
    if moved:
        pairs |= await _drafts(session, moved, context)
    kept = Kept()
    behind: set[str] = set()
    for one in pairs.values():
        kept.add(one.kept)
        if one.behind:
            # Another matcher is in tomorrow already. The sweeper assesses these plans again once we are, too.
            behind.update(plan.plan_id for plan in one.pair.plans)
    writes = Writes()
    store.put(writes, [row for row in kept.rows if isinstance(row, OpportunityRow)])
    kept.post(writes)
    done = {j.plan.plan.plan_id: j.plan.plan.revision for j in current if j.failed is None}
    plans.mark_matched(writes, {plan_id: done[plan_id] for plan_id in done.keys() - behind})
    unlike = {
        (judgement.plan.plan.plan_id, other_id)
        for judgement in current
        for other_id, other in judgement.unlike.items()
        if _stands(other.plan, locked)
    }
    search.remember(writes, near, unlike)
    await writes.send(session, commit=True)


async def _drafts(session: AsyncSession, pairs: Mapping[str, Pair], context: Context) -> dict[str, Draft]:
    rows = await answer(session, store.rows_by_ids(pairs))
    return {key: _draft(rows.get(key), key, pair, context) for key, pair in pairs.items()}


def _draft(read: Versioned | None, key: str, pair: Pair, context: Context) -> Draft:
    version, row = read or (None, None)
    kept = Kept()
    behind = row is not None and row.assessed_as_of > context.as_of
    if not behind:
        write(kept, row, key, pair, context)
    return Draft(pair, version, kept, behind)


def _pairs(judged: Iterable[Judged], traces: Mapping[str, str | None]) -> dict[str, Pair]:
    pairs = {}
    for judgement in judged:
        plan_id = judgement.plan.plan.plan_id
        for partner_id, (partner, assessment) in judgement.pairs.items():
            sides = {plan_id: judgement.plan.plan, partner_id: partner.plan}
            ordered = (sides[assessment.plans[0]], sides[assessment.plans[1]])
            pairs[opportunity_id(plan_id, partner_id)] = Pair(ordered, assessment, traces.get(plan_id))
    return pairs


def _stands(plan: Plan, locked: Mapping[str, int]) -> bool:
    return locked.get(plan.plan_id) == plan.revision


def _same_generation(current: str | None, mine: Generation) -> None:
    if current != mine.id:
        raise WrongGenerationError(
            f"the database stands at generation {current or 'none'}, this matcher has {mine.id}; run "
            "`jointly reassess` to move it, or start this matcher with the policy, statistics and model of the database"
        )
