"""Step 5: what was judged becomes state and events, in one transaction that holds all plans involved.

Whoever settles a pair holds both plans' rows, in the order of their ids. A pair whose partner has moved on
is left alone: the partner's own handler searches after our commit and finds it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Self

from sqlalchemy.ext.asyncio import AsyncSession

from events.envelope import encode
from events.opportunities import OpportunityState
from events.topics import OPPORTUNITIES
from matching.assessment import Assessment
from matching.engine import Features, Generation
from matching.plan import Plan, Sharing
from services.matcher.judging import Judged
from services.matcher.materiality import is_material, told_now
from services.runtime import faults, metrics
from services.store import generations, outbox, plans, search
from services.store import opportunities as store
from services.store.base import now
from services.store.opportunities import Opportunity, OpportunityRow
from services.store.queries import Query
from services.store.rows import Writes
from services.store.search import Near
from services.translation import content_hash, opportunity_event, opportunity_id, opportunity_state

_NOT_CONTENT: Final = frozenset({"revision", "material_revision", "assessed_as_of", "would_change"})
NO_LONGER: Final = "The two plans no longer match."
BELOW_THRESHOLD: Final = "The two plans no longer match closely enough to be worth an approach."


class WrongGenerationError(faults.Halt):
    """The database was decided under another policy, statistics or model than this process has."""


AnyRow = Opportunity | OpportunityRow


@dataclass(slots=True)
class Kept:
    """What is to be written: rows, new or changed, and the messages that tell of them."""

    rows: list[AnyRow] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pair:
    """One judged pair, in the order of its assessment."""

    plans: tuple[Plan, Plan]
    assessment: Assessment
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Context:
    """What every pair of a settlement shares."""

    as_of: date
    generation: Generation
    traces: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Held:
    """What a settlement begins with: it holds the generation, all plans involved, and what their pairs have been."""

    generation: Query[str | None]
    locked: Query[dict[str, int]]
    known: Query[dict[str, OpportunityRow]]

    @classmethod
    def of(cls, judged: Sequence[Judged]) -> Self:
        """For what was judged."""
        involved = {judgement.plan.plan.plan_id for judgement in judged}
        involved |= {other_id for judgement in judged for other_id in (*judgement.pairs, *judgement.unlike)}
        pairs = {opportunity_id(one.plan.plan.plan_id, other_id) for one in judged for other_id in one.pairs}
        return cls(generations.holding(), plans.locking(involved), store.rows_by_ids(pairs))

    @property
    def queries(self) -> tuple[Query[Any], ...]:
        """In the order in which everybody takes these locks."""
        return self.generation, self.locked, self.known


async def settle(
    session: AsyncSession, judged: Sequence[Judged], held: Held, context: Context, near: Mapping[str, Near]
) -> None:
    """Writes opportunities, their events, how far each plan has been assessed and what the index is to keep of whom
    was found `near`, and commits. What is `held` was asked in this transaction.

    Raises WrongGenerationError where the database's generation is not this process's.
    """
    _same_generation(held.generation.answer, context.generation)
    locked = held.locked.answer
    current = [judgement for judgement in judged if _stands(judgement.plan, locked)]
    metrics.PLANS_ABANDONED.inc(len(judged) - len(current))

    pairs = _pairs(current, locked, context.traces)
    kept = Kept()
    behind: set[str] = set()
    for key, pair in sorted(pairs.items()):
        row = held.known.answer.get(key)
        if row is not None and row.assessed_as_of > context.as_of:
            # Another matcher is in tomorrow already. The sweeper assesses these plans again once we are, too.
            behind.update(plan.plan_id for plan in pair.plans)
        else:
            write(kept, row, key, pair, context)
    writes = Writes()
    store.put(writes, [row for row in kept.rows if isinstance(row, OpportunityRow)])
    outbox.put(writes, kept.messages)
    done = {j.plan.plan.plan_id: j.plan.plan.revision for j in current if j.failed is None}
    plans.mark_matched(writes, {plan_id: done[plan_id] for plan_id in done.keys() - behind})
    unlike = {
        (judgement.plan.plan.plan_id, other_id)
        for judgement in current
        for other_id, other in judgement.unlike.items()
        if _stands(other, locked)
    }
    search.remember(writes, near, unlike)
    await writes.send(session, commit=True)


def withdraw(kept: Kept, row: AnyRow, sentence: str, *, hide: bool = False) -> None:
    """Withdraws an opportunity without a new judgement. The caller holds both plans and commits.

    What is said of the plans is what was said before; `hide` takes their titles and all details out of it.
    """
    state = withdrawn_state(row, sentence, material=True, hide=hide)
    row.told = {**row.told, "status": "withdrawn"}
    payload = state.model_dump(mode="json")
    advance(row, state, payload, fingerprint(payload))
    kept.rows.append(row)
    tell(kept, state, "withdrawn", None)


def withdrawn_state(row: AnyRow, sentence: str, *, material: bool, hide: bool = False) -> OpportunityState:
    """The next revision of an opportunity without a judgement: withdrawn, for the reason of the sentence."""
    content = {
        **row.payload,
        "status": "withdrawn",
        "reasons": [sentence],
        "revision": row.revision + 1,
        "material_revision": row.material_revision + int(material),
    }
    if hide:
        sides = [{**side, "title": None} for side in row.payload["plans"]]
        content |= {"plans": sides, "score": None, "components": None, "would_change": []}
    return OpportunityState.model_validate(content)


def _pairs(current: Sequence[Judged], locked: Mapping[str, int], traces: Mapping[str, str | None]) -> dict[str, Pair]:
    pairs = {}
    for judgement in current:
        plan_id = judgement.plan.plan.plan_id
        for partner_id, (partner, assessment) in judgement.pairs.items():
            if not _stands(partner, locked):
                metrics.PAIRS_SKIPPED.inc()
                continue
            sides = {plan_id: judgement.plan.plan, partner_id: partner.plan}
            ordered = (sides[assessment.plans[0]], sides[assessment.plans[1]])
            pairs[opportunity_id(plan_id, partner_id)] = Pair(ordered, assessment, traces.get(plan_id))
    return pairs


def _stands(features: Features, locked: Mapping[str, int]) -> bool:
    return locked.get(features.plan.plan_id) == features.plan.revision


def _same_generation(current: str | None, mine: Generation) -> None:
    if current != mine.id:
        raise WrongGenerationError(
            f"the database stands at generation {current or 'none'}, this matcher has {mine.id}; run "
            "`jointly reassess` to move it, or start this matcher with the policy, statistics and model of the database"
        )


def write(kept: Kept, row: AnyRow | None, key: str, pair: Pair, context: Context) -> None:
    """One pair: nothing, a new row, or the next revision of the row it has, with its event."""
    assessment = pair.assessment
    status = "active" if assessment.is_opportunity else "withdrawn"
    if status != "active" and (row is None or row.status != "active"):
        return
    if row is not None and any(plan.sharing is Sharing.PRIVATE for plan in pair.plans):
        # Of a plan that is shared no longer, nothing newer may be told than what had been.
        withdraw(kept, row, NO_LONGER, hide=True)
        return
    if row is None:
        row = blank(key, pair, context)
    kept.rows.append(row)
    before = row.status
    material = row.revision == 0 or is_material(row.told, assessment, status)
    state = state_of(row, pair, status, material, context)
    payload = state.model_dump(mode="json")
    row.assessed_as_of = context.as_of
    row.review_on = assessment.review_on
    row.revision_a, row.revision_b = (plan.revision for plan in pair.plans)
    row.generation = context.generation.id
    # Where not all is shared the score is not in the content: it may change when nothing that is told does.
    row.score = assessment.score
    content = fingerprint(payload)
    if content == row.content_hash:
        return
    if material:
        row.told = told_now(assessment, status)
    change = change_of(before, status)
    advance(row, state, payload, content)
    tell(kept, state, change, pair.traceparent)


def advance(row: AnyRow, state: OpportunityState, payload: dict[str, Any], content: str) -> None:
    """Moves a row to a state, of which `payload` is the JSON and `content` the fingerprint."""
    row.revision = state.revision
    row.material_revision = state.material_revision
    row.status = state.status
    row.band = state.band
    row.payload = payload
    row.content_hash = content
    row.updated_at = now()


def tell(kept: Kept, state: OpportunityState, change: str, traceparent: str | None) -> None:
    """Puts the event that tells of a state into the outbox."""
    metrics.PAIRS_WRITTEN.labels(change=change).inc()
    event = opportunity_event(state, change, traceparent)
    kept.messages.append(outbox.columns_of(OPPORTUNITIES.name, event.id, encode(event, state.opportunity_id)))


def blank(key: str, pair: Pair, context: Context) -> OpportunityRow:
    """A row before its first revision."""
    plan_a, plan_b = pair.plans
    return OpportunityRow(
        opportunity_id=key,
        plan_a=plan_a.plan_id,
        plan_b=plan_b.plan_id,
        authority_a=plan_a.authority,
        authority_b=plan_b.authority,
        revision_a=plan_a.revision,
        revision_b=plan_b.revision,
        revision=0,
        material_revision=0,
        status="new",
        score=0.0,
        band="feed",
        payload={},
        told={},
        content_hash="",
        generation=context.generation.id,
        assessed_as_of=context.as_of,
        review_on=None,
        created_at=now(),
        updated_at=now(),
    )


def state_of(row: AnyRow, pair: Pair, status: str, material: bool, context: Context) -> OpportunityState:
    """The next revision of a row, by what was judged."""
    assessment = pair.assessment
    gates = tuple(gate.sentence for gate in assessment.gates)
    return opportunity_state(
        assessment,
        pair.plans,
        status=status,
        # A withdrawn opportunity keeps the band in which it was last told.
        band=assessment.band.value if status == "active" else row.band,  # type: ignore[arg-type]
        revisions=(row.revision + 1, row.material_revision + int(material)),
        as_of=context.as_of,
        generation=context.generation,
        withdrawn_because=gates or (BELOW_THRESHOLD,),
    )


def change_of(before: str, status: str) -> str:
    """Which event tells of a change of status: identified, updated or withdrawn."""
    if status != "active":
        return "withdrawn"
    return "updated" if before == "active" else "identified"


def fingerprint_of(state: OpportunityState) -> str:
    """The fingerprint of a state's payload."""
    return fingerprint(state.model_dump(mode="json"))


def fingerprint(payload: Mapping[str, Any]) -> str:
    """The content that counts: all but the counters, the day of the judgement, and what may differ by the day alone."""
    return content_hash("opportunity", {name: value for name, value in payload.items() if name not in _NOT_CONTENT})
