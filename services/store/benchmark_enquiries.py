"""Benchmark enquiries, and the authorities that hold a comparable contract."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import Index, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from events.contracts import ContractPublished
from events.responses import EnquiryAnswer
from services.domain.benchmark_cells import CATEGORY_DIGITS, category_of
from services.domain.benchmark_enquiries import Enquiry, Holder
from services.domain.disclosure import Tier, contract_is_open, shown_current_contract
from services.store.benchmark_requests import BenchmarkRequestRow


class BenchmarkEnquiryRow(SQLModel, table=True):
    """One request as it was put to one authority."""

    __tablename__ = "benchmark_enquiries"
    __table_args__ = (Index("benchmark_enquiries_authority", "authority", "asked_on"),)

    request_id: str = Field(primary_key=True)
    authority: str = Field(primary_key=True)
    holding: str
    asked_on: date
    due_on: date
    answer: str | None = Field(default=None)
    contract_id: str | None = Field(default=None)
    answered_on: date | None = Field(default=None)


# The categories are spelled as in the indexes `contracts_category` and `plans_category`: every sweep looks for holders.
_CONTRACTS: Final = text(
    "SELECT payload FROM contracts WHERE status = 'published' AND payload->>'withheld' IS NULL"  # noqa: S608 (ours)
    f" AND left(payload #>> '{{cpv,0}}', {CATEGORY_DIGITS}) = ANY(:categories)"
    " AND coalesce(CAST(payload->>'end' AS date), :today) >= :today ORDER BY contract_id"
)
_PLANS: Final = text(
    f"SELECT plan_id, authority, left(state #>> '{{cpv,0}}', {CATEGORY_DIGITS}) AS category,"  # noqa: S608 (ours)
    " jsonb_build_object('sharing', state->'sharing', 'current_contract', state->'current_contract') AS state"
    " FROM plans WHERE status = 'active' AND state->'current_contract' <> 'null'"
    f" AND left(state #>> '{{cpv,0}}', {CATEGORY_DIGITS}) = ANY(:categories) ORDER BY plan_id"
)
_ASKED: Final = text(
    "SELECT authority, max(asked_on) AS day, count(*) AS times FROM benchmark_enquiries"
    " WHERE authority = ANY(:authorities) GROUP BY authority"
)


async def save(session: AsyncSession, enquiry: Enquiry) -> None:
    """Write an enquiry; it replaces its earlier state."""
    await session.merge(
        BenchmarkEnquiryRow(
            request_id=enquiry.request_id,
            authority=enquiry.authority,
            holding=enquiry.holding,
            asked_on=enquiry.asked_on,
            due_on=enquiry.due_on,
            answer=enquiry.answer.value if enquiry.answer else None,
            contract_id=enquiry.contract_id,
            answered_on=enquiry.answered_on,
        )
    )
    await session.flush()


async def load(session: AsyncSession, request_id: str, authority: str) -> Enquiry | None:
    """One enquiry."""
    row = await session.get(BenchmarkEnquiryRow, (request_id, authority))
    return _enquiry(row) if row is not None else None


async def of_requests(session: AsyncSession, request_ids: Collection[str]) -> dict[str, list[Enquiry]]:
    """The enquiries of requests, by authority; nothing for a request that was put to nobody."""
    wanted = col(BenchmarkEnquiryRow.request_id).in_(request_ids)
    rows = await session.execute(select(BenchmarkEnquiryRow).where(wanted).order_by(col(BenchmarkEnquiryRow.authority)))
    found: dict[str, list[Enquiry]] = defaultdict(list)
    for row in rows.scalars():
        found[row.request_id].append(_enquiry(row))
    return found


async def put_to(session: AsyncSession, authority: str, *, waiting_on: date | None = None) -> list[Enquiry]:
    """The enquiries to one authority, earliest due day first.

    `waiting_on`: only those without an answer whose due day has not passed on this day.
    """
    query = select(BenchmarkEnquiryRow).where(col(BenchmarkEnquiryRow.authority) == authority)
    if waiting_on is not None:
        query = query.where(col(BenchmarkEnquiryRow.answer).is_(None), col(BenchmarkEnquiryRow.due_on) >= waiting_on)
    rows = await session.execute(query.order_by(col(BenchmarkEnquiryRow.due_on), col(BenchmarkEnquiryRow.request_id)))
    return [_enquiry(row) for row in rows.scalars()]


async def supplied_for(session: AsyncSession, plan_id: str) -> list[Enquiry]:
    """The enquiries for a plan's extension that were answered with a price, by authority."""
    query = (
        select(BenchmarkEnquiryRow)
        .join(BenchmarkRequestRow, col(BenchmarkRequestRow.request_id) == col(BenchmarkEnquiryRow.request_id))
        .where(col(BenchmarkRequestRow.plan_id) == plan_id, col(BenchmarkEnquiryRow.contract_id).is_not(None))
    )
    rows = await session.execute(query.order_by(col(BenchmarkEnquiryRow.authority)))
    return [_enquiry(row) for row in rows.scalars()]


async def holders(session: AsyncSession, categories: Collection[str], today: date) -> Mapping[str, Sequence[Holder]]:
    """By category: who holds a running contract, as far as that is open to signatories. A contract precedes a plan.

    A contract whose prices are withheld is left out: its authority has given its answer.
    """
    values = {"categories": sorted(categories)}
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for row in await session.execute(_CONTRACTS, {**values, "today": today}):
        contract = ContractPublished.model_validate(row.payload)
        if contract_is_open(contract, Tier.SIGNATORIES, today):
            found[category_of(contract.cpv[0])].setdefault(contract.authority, contract.contract_id)
    for row in await session.execute(_PLANS, values):
        shown = shown_current_contract(row.state)
        if shown is not None and (shown.end is None or shown.end >= today):
            found[row.category].setdefault(row.authority, row.plan_id)
    authorities = sorted({code for by_code in found.values() for code in by_code})
    rows = await session.execute(_ASKED, {"authorities": authorities})
    asked = {row.authority: (row.day, row.times) for row in rows}
    return {
        category: [Holder(code, holding, *asked.get(code, (None, 0))) for code, holding in by_code.items()]
        for category, by_code in found.items()
    }


def _enquiry(row: BenchmarkEnquiryRow) -> Enquiry:
    values: dict[str, Any] = row.model_dump()
    return Enquiry(**values | {"answer": EnquiryAnswer(row.answer) if row.answer else None})
