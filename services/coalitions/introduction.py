"""Records an answer to an introduction, and adds the notifications that follow from it."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.opportunities import OpportunityState
from events.responses import IntroductionAnswer, ResponseIntroduced
from services.coalitions.writing import Moment
from services.domain.coalition_answers import AnswerRefusedError, RefusalReason
from services.domain.introduction import IntroductionSide, ask_on, is_agreed, later_day
from services.domain.notifications import NotificationChange, Purpose
from services.platform.clock import LONDON
from services.store import intents, introductions
from services.store.database import now
from services.store.intents import Intent
from services.store.opportunities import Opportunity
from services.store.responses import ResponseRow

HOUR: Final = time(9, 0)


async def answer(
    session: AsyncSession, opportunity: Opportunity, payload: ResponseIntroduced, moment: Moment
) -> dict[str, Any]:
    """Record an authority's answer to an introduction; return its previous answer, for an undo.

    Raises AnswerRefusedError if both plans are shared openly. The result looks the same whatever the other has
    answered.
    """
    if opportunity.payload["score"] is not None:
        raise AnswerRefusedError(
            RefusalReason.NOT_ALLOWED, "both plans are shared openly; answer the suggestion or invite the other"
        )
    own, other = await introductions.sides(session, opportunity, payload.authority)
    said = payload.agrees
    before = {
        "answer": own.answer,
        "on": own.on.isoformat() if own.on else None,
        "ask_again_on": own.ask_again_on.isoformat() if own.ask_again_on else None,
    }
    if said is IntroductionAnswer.YES and is_agreed(own, other):
        return before  # both were told, and a later day for one yes would end what both agreed to
    again = later_day(moment.today, payload.remind_on) if said is IntroductionAnswer.LATER else None
    changed = replace(own, answer=said, on=moment.today, ask_again_on=again)
    await introductions.put(session, opportunity.opportunity_id, changed, payload.response_id)
    other = await _call_off(session, opportunity, changed, other, moment.today)
    await _tell(session, opportunity, changed, other, moment)
    return before


async def undo(session: AsyncSession, opportunity: Opportunity, undone: ResponseRow, today: date) -> None:
    """Take an answer back. Raises AnswerRefusedError once both have said yes: the emails can't be taken back."""
    own, other = await introductions.sides(session, opportunity, undone.authority)
    if is_agreed(own, other):
        raise AnswerRefusedError(
            RefusalReason.NOT_ALLOWED, "you are introduced already, and that can't be taken back; say no to end it"
        )
    before = undone.change or {}
    answered = IntroductionAnswer(before["answer"]) if before.get("answer") else None
    on, again = (date.fromisoformat(before[name]) if before.get(name) else None for name in ("on", "ask_again_on"))
    restored = replace(own, answer=answered, on=on, ask_again_on=again)
    await introductions.put(session, opportunity.opportunity_id, restored, None)
    await _call_off(session, opportunity, restored, other, today)


async def _call_off(
    session: AsyncSession, opportunity: Opportunity, own: IntroductionSide, other: IntroductionSide, today: date
) -> IntroductionSide:
    """Forget a question to the other side that has a day ahead of it and is not asked after all: its yes is gone."""
    if own.answer is IntroductionAnswer.YES or other.asked_on is None or other.asked_on <= today:
        return other
    uncalled = replace(other, asked_on=None)
    await introductions.put(session, opportunity.opportunity_id, uncalled, None)
    return uncalled


async def _tell(
    session: AsyncSession, opportunity: Opportunity, own: IntroductionSide, other: IntroductionSide, moment: Moment
) -> None:
    """Introduce both once both have agreed. Until then it asks the other side, or asks again after a later."""
    if is_agreed(own, other):
        # The earlier yes makes the occasion: one council's no and yes again are told once, not each time.
        occasion = min(one.on or moment.today for one in (own, other))
        drafts = [_intent(opportunity, one, NotificationChange.INTRODUCED, moment, occasion) for one in (own, other)]
        await intents.add(session, drafts)
        return
    for asking, asked in ((own, other), (other, own)):
        day = ask_on(asking, asked, moment.today)
        if day is not None:
            await introductions.put(session, opportunity.opportunity_id, replace(asked, asked_on=day), None)
            await intents.add(session, [_intent(opportunity, asked, NotificationChange.ASKED, moment, day)])


def _intent(
    opportunity: Opportunity, to: IntroductionSide, change: NotificationChange, moment: Moment, day: date
) -> Intent:
    at = now()
    state = OpportunityState.model_validate(opportunity.payload)
    partner = next(side.authority for side in state.plans if side.authority != to.authority)
    return Intent(
        opportunity_id=opportunity.opportunity_id,
        material_revision=opportunity.material_revision,
        authority=to.authority,
        partner=partner,
        purpose=Purpose.IMMEDIATE,
        band=opportunity.band,
        change=change,
        occasion=f"{change} {day.isoformat()}",
        source_event_id=moment.cause or "",
        due_at=datetime.combine(day, HOUR if day > moment.today else time.min, LONDON).astimezone(UTC),
        created_at=at,
        updated_at=at,
    )
