"""Near misses: plans that would fit if one council waited a few months. Every match shows its windows."""

from collections.abc import Collection
from datetime import date
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.opportunities import OpportunityState
from services.domain.reorganisation import name_on, waits_for_person
from services.notifier.rendering.phrases import say_move
from services.store import opportunities

LIMIT: Final = 5


def near_miss_sentences(state: OpportunityState, authority: str, today: date) -> tuple[str, ...]:
    """The sentence on the move that would make two windows overlap, for one of the two authorities; empty if none."""
    move = state.nearest_move
    if move is None or state.status != "active":
        return ()
    return (say_move(move, "you" if move.authority == authority else name_on(move.authority, today)),)


async def other_near_misses(
    session: AsyncSession, authority: str, plan_id: str, members: Collection[str], today: date
) -> tuple[str, ...]:
    """The near misses of an authority's own plan outside a group of `members`, each with the other council's name."""
    found = await opportunities.near_misses(session, plan_id, LIMIT + len(members))
    outside = [row for row in found if not ({row.plan_a, row.plan_b} - {plan_id}) & set(members)]
    others = [(row, row.authority_b if row.authority_a == authority else row.authority_a) for row in outside]
    named = [(row, name_on(other, today)) for row, other in others if not waits_for_person(other, today)]
    return tuple(
        f"{name}: {sentence}"
        for row, name in named[:LIMIT]
        for sentence in near_miss_sentences(OpportunityState.model_validate(row.payload), authority, today)
    )
