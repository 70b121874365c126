"""Answers to introductions: one row for each side that has answered or was asked."""

from collections.abc import Collection
from datetime import date

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from events.responses import IntroductionAnswer
from services.domain.introduction import IntroductionSide, is_agreed
from services.store.database import in_array
from services.store.opportunities import Opportunity


class IntroductionConsent(SQLModel, table=True):
    """One side of an introduction. `asked_on`: the day of the last email that asked it."""

    __tablename__ = "introduction_consents"

    opportunity_id: str = Field(primary_key=True)
    authority: str = Field(primary_key=True)
    plan_id: str
    answer: str | None = Field(default=None)
    answered_on: date | None = Field(default=None)
    ask_again_on: date | None = Field(default=None)
    asked_on: date | None = Field(default=None)
    response_id: str | None = Field(default=None)


async def put(session: AsyncSession, opportunity_id: str, consent: IntroductionSide, response_id: str | None) -> None:
    """Write one side, replacing its earlier answer."""
    await session.merge(
        IntroductionConsent(
            opportunity_id=opportunity_id,
            authority=consent.authority,
            plan_id=consent.plan_id,
            answer=consent.answer.value if consent.answer else None,
            answered_on=consent.on,
            ask_again_on=consent.ask_again_on,
            asked_on=consent.asked_on,
            response_id=response_id,
        )
    )
    await session.flush()


async def sides(
    session: AsyncSession, opportunity: Opportunity, authority: str
) -> tuple[IntroductionSide, IntroductionSide]:
    """Both sides of an introduction, `authority` first."""
    known = (await _of(session, [opportunity.opportunity_id])).get(opportunity.opportunity_id, {})
    plans = {opportunity.authority_a: opportunity.plan_a, opportunity.authority_b: opportunity.plan_b}
    other = next(code for code in plans if code != authority)
    one, two = (known.get(code) or IntroductionSide(code, plans[code]) for code in (authority, other))
    return one, two


async def agreed(session: AsyncSession, opportunity_ids: Collection[str]) -> set[str]:
    """The opportunities among these to which both authorities have said yes."""
    found = await _of(session, opportunity_ids)
    return {key for key, both in found.items() if len(both) == 2 and is_agreed(*both.values())}


async def _of(session: AsyncSession, opportunity_ids: Collection[str]) -> dict[str, dict[str, IntroductionSide]]:
    query = select(IntroductionConsent).where(in_array(col(IntroductionConsent.opportunity_id), opportunity_ids))
    found: dict[str, dict[str, IntroductionSide]] = {}
    for row in (await session.execute(query)).scalars():
        found.setdefault(row.opportunity_id, {})[row.authority] = _consent(row)
    return found


def _consent(row: IntroductionConsent) -> IntroductionSide:
    answer = IntroductionAnswer(row.answer) if row.answer else None
    return IntroductionSide(row.authority, row.plan_id, answer, row.answered_on, row.ask_again_on, row.asked_on)
