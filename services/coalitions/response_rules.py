"""Applies a response to a coalition, or to an opportunity that it turns into one. The caller holds the lock."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from events.coalitions import MemberState
from events.responses import (
    AnswerKind,
    MembershipAct,
    PlanResponsePayload,
    ResponseAnswered,
    ResponseConvened,
    ResponseDates,
    ResponseDecided,
    ResponseDelegated,
    ResponseDocument,
    ResponseEnquiry,
    ResponseIntroduced,
    ResponseInvited,
    ResponseMembership,
    ResponsePayload,
    ResponseRoute,
    ResponseUndone,
)
from services.coalitions import introduction, party_rules, record_rules
from services.coalitions.benchmark_requests import record_decision, record_enquiry_answer
from services.coalitions.pair_coalitions import load_standing, suggest_pair
from services.coalitions.writing import Moment, write_with_plans
from services.domain import coalition_answers as rules
from services.domain.coalition import Coalition
from services.domain.coalition_answers import AnswerRefusedError, InvitationRequest, RefusalReason, ResponseOutcome
from services.domain.coalition_bars import Bars
from services.domain.coalition_undo import ActRecord, act_change, require_undoable, undo
from services.store import coalition_bars, plans, responses
from services.store import coalitions as store
from services.store.coalitions import CoalitionRow
from services.store.opportunities import Opportunity

_REPEATED_TERMS = (MembershipAct.LEAVE, MembershipAct.DECLINE)
"""Acts that count whatever has changed since: an older version never keeps an authority in."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of a response: the change, for an undo, and the plans whose groups form again.

    `about`: the other plans that an answer was about. `asked`, `reply_by`: the plans that an invitation asked, and
    their last day to answer.
    """

    change: Any = None
    plan_ids: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    reply_by: date | None = None


async def apply(session: AsyncSession, payload: ResponsePayload, moment: Moment) -> Effect:
    """Apply a response. Raises AnswerRefusedError if it does not count."""
    if isinstance(payload, ResponseConvened):
        before, after = await party_rules.convene(session, payload, moment)
        # The plans of a pair are in no group of the engine's any more: their groups form again.
        regrouped = payload.plan_ids if payload.subject == "opportunity" else ()
        return _invited(Effect(None, regrouped), before, after)
    if isinstance(payload, ResponseEnquiry):
        await record_enquiry_answer(session, payload, moment.today, moment.cause)
        return Effect()
    if isinstance(payload, ResponseDelegated):
        await party_rules.record_delegation(session, payload)
        return Effect()
    await party_rules.require_delegation(session, payload, moment)
    return await _apply_to_plan(session, payload, moment)


async def _apply_to_plan(session: AsyncSession, payload: PlanResponsePayload, moment: Moment) -> Effect:
    if isinstance(payload, ResponseUndone):
        return await _undo(session, payload, moment)
    if isinstance(payload, ResponseRoute):
        await record_rules.require_subject(session, payload)
        return Effect()
    if isinstance(payload, ResponseDocument):
        await record_rules.require_accepted(session, payload)
        return Effect()
    if payload.subject == "plan":
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "of a plan itself, only its routes can be recorded")
    if isinstance(payload, ResponseDecided):
        await record_decision(session, payload, moment.today, moment.cause)
        return Effect()
    if payload.subject == "benchmark":
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "its own benchmark request takes no answer but a decision")
    if payload.subject == "opportunity":
        return await _on_opportunity(session, payload, moment)
    row = await store.load(session, payload.subject_id)
    # Ids can be computed. Of a coalition that a plan is not in, its authority learns nothing, not even that it exists.
    if row is None or not row.coalition.names(payload.plan_id):
        raise AnswerRefusedError(
            RefusalReason.UNKNOWN_SUBJECT, f"plan {payload.plan_id} is in no coalition {payload.subject_id}"
        )
    return await _on_coalition(session, row, row.coalition, payload, moment)


async def _on_coalition(
    session: AsyncSession, row: CoalitionRow, coalition: Coalition, payload: PlanResponsePayload, moment: Moment
) -> Effect:
    if coalition.is_living and not _counts_whatever_changed(payload):
        rules.require_current(coalition, payload.subject_revision)
    concerned = {payload.plan_id, *_plans_asked(coalition, payload)}
    bars = await coalition_bars.load_bars(session, concerned, coalition.coalition_id)
    after = _act(coalition, payload, moment.today, bars)
    await write_with_plans(session, row, after, moment)
    effect = Effect(responses.dump_change(act_change(coalition, after, payload.plan_id)))
    if isinstance(payload, ResponseInvited):
        return _invited(effect, coalition, after)
    if isinstance(payload, ResponseAnswered):
        others = [member.plan_id for member in coalition.current if member.plan_id != payload.plan_id]
        return await _answered(session, effect, payload, others)
    return effect


def _plans_asked(coalition: Coalition, payload: PlanResponsePayload) -> Sequence[str]:
    """The plans that an invitation may be to."""
    if not isinstance(payload, ResponseInvited):
        return ()
    return payload.plan_ids or [member.plan_id for member in coalition.current]


def _invited(effect: Effect, before: Coalition, after: Coalition) -> Effect:
    """Add the invited plans and their last day to answer to the effect."""
    assert after.invitation is not None
    known = before.in_state(MemberState.INVITED)
    asked = tuple(one.plan_id for one in after.in_state(MemberState.INVITED) if one not in known)
    return replace(effect, asked=asked, reply_by=after.invitation.reply_by)


def _counts_whatever_changed(payload: PlanResponsePayload) -> bool:
    if isinstance(payload, ResponseMembership):
        return payload.act in _REPEATED_TERMS
    return isinstance(payload, ResponseAnswered) and payload.answer in (*rules.REFUSALS, AnswerKind.LATER)


def _act(coalition: Coalition, payload: PlanResponsePayload, today: date, bars: Bars) -> Coalition:
    plan_id = payload.plan_id
    match payload:
        case ResponseAnswered():
            return rules.answer(coalition, plan_id, payload.answer)
        case ResponseInvited():
            request = InvitationRequest(payload.plan_ids, payload.reply_days, payload.scope, payload.route)
            return rules.invite(coalition, plan_id, request, today, bars)
        case ResponseDates():
            return rules.move_reply_by(coalition, plan_id, payload.reply_by)
        case ResponseMembership(act=MembershipAct.ACCEPT):
            return rules.accept(coalition, plan_id, today, bars)
        case ResponseMembership(act=MembershipAct.JOIN):
            return rules.join(coalition, plan_id, payload.authority, today, bars)
        case ResponseMembership(act=MembershipAct.DECLINE):
            return rules.decline(coalition, plan_id)
        case ResponseMembership(act=MembershipAct.LEAVE):
            return rules.leave(coalition, plan_id)
        case ResponseMembership(act=MembershipAct.COMMIT):
            return rules.commit(coalition, plan_id)
        case ResponseIntroduced():
            raise AnswerRefusedError(
                RefusalReason.NOT_ALLOWED, "an introduction is to an opportunity; a coalition's plans are open"
            )
        case _:
            return rules.take_lead(coalition, plan_id, bars)


async def _on_opportunity(session: AsyncSession, payload: PlanResponsePayload, moment: Moment) -> Effect:
    opportunity = await load_standing(session, payload, [payload.plan_id])
    other = opportunity.plan_b if payload.plan_id == opportunity.plan_a else opportunity.plan_a
    if isinstance(payload, ResponseInvited):
        return await _invite_partner(session, opportunity, payload, moment)
    if isinstance(payload, ResponseAnswered):
        return await _answered(session, Effect(), payload, [other])
    if isinstance(payload, ResponseIntroduced):
        return Effect(await introduction.answer(session, opportunity, payload, moment))
    raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "that can only be said of a coalition; invite the other first")


async def _invite_partner(
    session: AsyncSession, opportunity: Opportunity, payload: ResponseInvited, moment: Moment
) -> Effect:
    coalition = await suggest_pair(session, opportunity, payload, moment.today)
    request = InvitationRequest((), payload.reply_days, payload.scope, payload.route)
    bars = await coalition_bars.load_bars(session, [one.plan_id for one in coalition.members], coalition.coalition_id)
    invited = rules.invite(coalition, payload.plan_id, request, moment.today, bars)
    await write_with_plans(session, store.new_row(coalition.coalition_id), invited, moment)
    effect = Effect(None, tuple(member.plan_id for member in invited.members))
    return _invited(effect, coalition, invited)


async def _answered(session: AsyncSession, effect: Effect, payload: ResponseAnswered, others: Sequence[str]) -> Effect:
    """Add to the effect what an answer was about. A "not the same thing" also mutes the pairs with these plans."""
    effect = replace(effect, about=tuple(others))
    if payload.answer is not AnswerKind.NOT_THE_SAME:
        return effect
    stored = await plans.by_id(session, [payload.plan_id, *others])
    verdicts = []
    for other in others:
        pair = (min(payload.plan_id, other), max(payload.plan_id, other))
        words = responses.words_hash([stored[plan].state if plan in stored else None for plan in pair])
        verdicts.append(responses.new_verdict(pair, payload.authority, payload.reason, words, payload.response_id))
    await responses.put_verdicts(session, verdicts)
    return replace(effect, plan_ids=(payload.plan_id, *others))


async def _undo(session: AsyncSession, payload: ResponseUndone, moment: Moment) -> Effect:
    undone = await responses.given_for(session, payload.authority, payload.undoes, payload.speaker)
    if undone is None or undone.plan_id != payload.plan_id or undone.outcome != ResponseOutcome.RECORDED:
        raise AnswerRefusedError(
            RefusalReason.UNKNOWN_SUBJECT, f"plan {payload.plan_id} gave no answer {payload.undoes}"
        )
    if payload.acting_party not in (None, undone.payload.get("acting_party")):
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "a party takes back only what it said itself")
    if undone.undone_by is not None or not await responses.is_latest(session, undone):
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "only the last answer can be taken back, and only once")
    if undone.subject == "benchmark":
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "a decision is not taken back; record another one")
    if undone.kind != responses.DOCUMENT:  # its address may be wrong, and is taken back whenever that is seen
        require_undoable(undone.received_on, moment.today)
    regrouped: list[str] = []
    act = responses.act_record(undone)
    row = await store.load(session, undone.subject_id) if act is not None else None
    if act is not None and row is not None:
        regrouped = await _restore(session, row, act, moment)
    elif undone.kind == "introduced":
        opportunity = await store.load_opportunity(session, undone.subject_id)
        if opportunity is not None:
            await introduction.undo(session, opportunity, undone, moment.today)
    elif undone.kind == "invited":
        raise AnswerRefusedError(RefusalReason.NOT_ALLOWED, "an invitation can't be taken back; leave the coalition")
    undone.undone_by = payload.response_id
    muted = await responses.withdraw_verdicts(session, undone.authority, undone.response_id)
    return Effect(None, (*muted, *regrouped))


async def _restore(session: AsyncSession, row: CoalitionRow, act: ActRecord, moment: Moment) -> list[str]:
    """Take an act in a coalition back; return the plans whose groups to form again.

    A "not the same thing" also muted pairs. That is taken back even where its coalition stays as it is.
    """
    before = row.coalition
    bars = await coalition_bars.load_undo_bars(session, before)
    try:
        after = undo(before, act, moment.today, bars)
    except AnswerRefusedError:
        if act.kind == AnswerKind.NOT_THE_SAME:
            return []
        raise
    await write_with_plans(session, row, after, moment)
    # What became of plans after the end has not been looked at.
    return [] if before.is_living else [member.plan_id for member in after.current]
