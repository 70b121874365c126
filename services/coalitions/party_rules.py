"""What parties do: act for an authority that has delegated, and convene members of theirs. The caller has the lock."""

from sqlalchemy.ext.asyncio import AsyncSession

from events.responses import PlanResponsePayload, ResponseConvened, ResponseDelegated
from services.coalitions.pair_coalitions import load_standing, suggest_pair
from services.coalitions.writing import Moment, write_with_plans
from services.domain import coalition_answers as rules
from services.domain import delegation
from services.domain.coalition import Coalition
from services.domain.coalition_answers import AnswerRefusedError, InvitationRequest, RefusalReason
from services.domain.ids import party_subject
from services.domain.parties import Party
from services.store import coalition_bars, coalitions, delegations, parties
from services.store.coalitions import CoalitionRow


async def require_delegation(session: AsyncSession, payload: PlanResponsePayload, moment: Moment) -> None:
    """Raise AnswerRefusedError where a party speaks for an authority that has not let it. Authorities may speak."""
    if payload.acting_party is None:
        return
    await _party(session, payload.acting_party)
    found = await delegations.load(session, payload.authority, payload.acting_party)
    delegation.require_allowed(found, payload, moment.today)


async def record_delegation(session: AsyncSession, payload: ResponseDelegated) -> None:
    """Keep what an authority delegates. Raises AnswerRefusedError."""
    if payload.subject != "party" or payload.subject_id != party_subject(payload.party):
        raise AnswerRefusedError(RefusalReason.UNKNOWN_SUBJECT, f"{payload.subject_id} is not party {payload.party}")
    if payload.scope is not None:
        await _party(session, payload.party)
    found = await delegations.load(session, payload.authority, payload.party)
    await delegations.put(session, delegation.record(found, payload), payload.response_id)


async def convene(session: AsyncSession, payload: ResponseConvened, moment: Moment) -> tuple[Coalition, Coalition]:
    """Invite members of a party: of a coalition that the engine suggests, or both of a pair.

    Returns the coalition before and after. Raises AnswerRefusedError.
    """
    party = await _party(session, payload.authority)
    members = party.members_on(moment.today)
    strangers = sorted(one for one in payload.plan_ids if one.split(":", 1)[0] not in members)
    if strangers:
        raise AnswerRefusedError(
            RefusalReason.NOT_ALLOWED, f"{strangers[0]} is no plan of a member of {party.party} on {moment.today}"
        )
    row, before = await _convenable(session, payload, moment)
    request = InvitationRequest(payload.plan_ids, payload.reply_days, payload.scope)
    bars = await coalition_bars.load_bars(session, payload.plan_ids, before.coalition_id)
    after = rules.convene(before, party.party, request, moment.today, bars)
    await write_with_plans(session, row, after, moment)
    return before, after


async def _convenable(
    session: AsyncSession, payload: ResponseConvened, moment: Moment
) -> tuple[CoalitionRow, Coalition]:
    """The coalition to convene, and its row; of a pair both are new."""
    if payload.subject == "opportunity":
        opportunity = await load_standing(session, payload, payload.plan_ids)
        pair = await suggest_pair(session, opportunity, payload, moment.today)
        return coalitions.new_row(pair.coalition_id), pair
    row = await coalitions.load(session, payload.subject_id) if payload.subject == "coalition" else None
    strangers = [plan_id for plan_id in payload.plan_ids if row is None or not row.coalition.names(plan_id)]
    if row is None or strangers:
        raise AnswerRefusedError(
            RefusalReason.UNKNOWN_SUBJECT, f"plan {strangers[0]} is in no coalition {payload.subject_id}"
        )
    if row.coalition.is_living:
        rules.require_current(row.coalition, payload.subject_revision)
    return row, row.coalition


async def _party(session: AsyncSession, code: str) -> Party:
    found = await parties.load(session, code)
    if found is None:
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, f"{code} is no programme office, group or purchasing body")
    return found
