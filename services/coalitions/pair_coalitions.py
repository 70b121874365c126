"""Makes the two plans of an opportunity a coalition, when a council invites its partner or a party convenes both."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from events.responses import ResponsePayload
from matching.coalitions import joint_terms
from matching.features import kin_of
from services.coalitions.formation import suggestion_of
from services.domain.coalition import Coalition, suggest
from services.domain.coalition_answers import AnswerRefusedError, RefusalReason
from services.domain.disclosure import is_open
from services.domain.ids import pair_coalition_id
from services.domain.opportunity_status import OpportunityStatus
from services.store import coalitions as store
from services.store import plan_fits, plans
from services.store.opportunities import Opportunity


async def load_standing(session: AsyncSession, payload: ResponsePayload, plan_ids: Sequence[str]) -> Opportunity:
    """Load the opportunity that a response is about, with these plans of the speaker's.

    Raises AnswerRefusedError if a plan is not in it, or if it does not stand.
    """
    opportunity = await store.load_opportunity(session, payload.subject_id)
    pair = (opportunity.plan_a, opportunity.plan_b) if opportunity is not None else ()
    strangers = [plan_id for plan_id in plan_ids if plan_id not in pair]
    if opportunity is None or strangers:
        raise AnswerRefusedError(
            RefusalReason.UNKNOWN_SUBJECT, f"plan {strangers[0]} is in no opportunity {payload.subject_id}"
        )
    if payload.subject_revision > opportunity.revision:
        raise AnswerRefusedError(
            RefusalReason.UNKNOWN_SUBJECT,
            f"the opportunity has no revision {payload.subject_revision} yet; it stands at {opportunity.revision}",
        )
    if opportunity.status != OpportunityStatus.ACTIVE:
        stored = await plans.by_id(session, pair)
        # The reasons were written while both plans were open. One that has closed since is described no more.
        shows = all(is_open(stored[plan_id].state if plan_id in stored else None) for plan_id in pair)
        why = " ".join(opportunity.payload.get("reasons", ())) if shows else ""
        raise AnswerRefusedError(RefusalReason.STALE, f"the opportunity has ended since. {why}".strip())
    return opportunity


async def suggest_pair(
    session: AsyncSession, opportunity: Opportunity, payload: ResponsePayload, today: date
) -> Coalition:
    """The coalition of two that an invitation begins.

    Its id derives from the response's, so that the same invitation makes the same coalition. Raises AnswerRefusedError
    if both are in one, fit too little, or will be one authority.
    """
    if opportunity.authority_b in kin_of(opportunity.authority_a):
        raise AnswerRefusedError(
            RefusalReason.NOT_ALLOWED, "both will be one authority: this is one purchase of its own, not a group's"
        )
    both = {opportunity.plan_a, opportunity.plan_b}
    for row in await store.living_with(session, both):
        if both <= {member.plan_id for member in row.coalition.current}:
            raise AnswerRefusedError(
                RefusalReason.NOT_ALLOWED, f"both plans are in coalition {row.coalition_id}; invite there"
            )
    graph = await plan_fits.load_graph(session, [opportunity.plan_a])
    terms = joint_terms(graph, both)
    if terms is None:
        raise AnswerRefusedError(
            RefusalReason.NOT_ALLOWED,
            "the two plans fit too little, their windows do not meet, or one is shared only as a match, to invite yet",
        )
    suggestion = suggestion_of(graph, terms, await plans.by_id(session, both), today)
    return suggest(pair_coalition_id(payload.speaker, payload.response_id, payload.subject_id), suggestion)
