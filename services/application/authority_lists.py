"""The lists that one authority may read: its plans, opportunities, coalitions and deadlines, after `disclosure`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from events.coalitions import CoalitionStatus
from matching.plan import Status
from services.application.explain import redact_for_now
from services.application.list_items import CoalitionItem, DeadlineItem, Item, OpportunityItem, PlanItem
from services.domain.authority_deadlines import Deadline, DeadlineKind, coalition_deadlines, contract_deadline
from services.domain.coalition import LIVING
from services.domain.disclosure import is_open, pounds_of, redact_coalition
from services.domain.reorganisation import full_name_on, waits_for_person
from services.store import authority_lists as store
from services.store import introductions, plans
from services.store.authority_lists import Cut
from services.store.coalitions import CoalitionRow
from services.store.opportunities import Opportunity
from services.store.plans import PlanRecord

T = TypeVar("T", bound=Item)

LIVING_STATUSES: Final = tuple(sorted(LIVING))
ENDED_STATUSES: Final = tuple(sorted(set(CoalitionStatus) - LIVING))
PAST: Final = timedelta(days=31)
"""A date stays listed for this long after it has passed."""
ALL_AT_ONCE: Final = 500
_FIRST_SECOND: Final = datetime.fromisoformat("2026-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, and the key of its last item if more may follow."""

    items: Sequence[T]
    after: str | None


List = Callable[[AsyncSession, str, Cut], Awaitable[Page[T]]]


async def list_plans(session: AsyncSession, authority: str, cut: Cut) -> Page[PlanItem]:
    """The authority's own plans."""
    rows = await store.plans(session, authority, cut)
    return Page([_plan_item(row) for row in rows], _last([row.plan_id for row in rows], cut))


async def find_plan(session: AsyncSession, authority: str, plan_id: str) -> PlanItem | None:
    """One of the authority's own plans."""
    row = await store.plan(session, authority, plan_id)
    return _plan_item(row) if row is not None else None


async def list_opportunities(session: AsyncSession, authority: str, cut: Cut, today: date) -> Page[OpportunityItem]:
    """The opportunities of the authority's plans. Others are called by their names of today."""
    rows = await store.opportunities(session, authority, cut)
    return Page(
        await _opportunity_items(session, authority, rows, today), _last([row.opportunity_id for row in rows], cut)
    )


async def find_opportunity(
    session: AsyncSession, authority: str, opportunity_id: str, today: date
) -> OpportunityItem | None:
    """One opportunity of the authority's plans."""
    row = await store.opportunity(session, authority, opportunity_id)
    return (await _opportunity_items(session, authority, [row], today))[0] if row is not None else None


async def list_coalitions(session: AsyncSession, authority: str, cut: Cut, today: date) -> Page[CoalitionItem]:
    """The coalitions of which the authority is or was a member. Others are called by their names of today."""
    rows = await store.coalitions(session, authority, cut)
    return Page(await _coalition_items(session, authority, rows, today), _last([row.coalition_id for row in rows], cut))


async def find_coalition(session: AsyncSession, authority: str, coalition_id: str, today: date) -> CoalitionItem | None:
    """One coalition of which the authority is or was a member."""
    row = await store.coalition(session, authority, coalition_id)
    return (await _coalition_items(session, authority, [row], today))[0] if row is not None else None


async def find_coalition_deadlines(
    session: AsyncSession, authority: str, coalition_id: str, today: date
) -> list[DeadlineItem] | None:
    """The dates that one coalition sets for the authority; None if it never was a member."""
    row = await store.coalition(session, authority, coalition_id)
    if row is None:
        return None
    own = [member["plan_id"] for member in row.payload["members"] if member["authority"] == authority]
    stored = await plans.by_id(session, own)
    titles = {plan_id: str(one.state["title"]) for plan_id, one in stored.items() if one.state is not None}
    return _coalition_days(row, authority, titles, today)


async def read_all(session: AsyncSession, authority: str, cut: Cut, read: List[T]) -> AsyncIterator[T]:
    """Read a whole list page by page."""
    cut = replace(cut, after="", limit=ALL_AT_ONCE)
    while True:
        page = await read(session, authority, cut)
        for item in page.items:
            yield item
        if page.after is None:
            return
        cut = replace(cut, after=page.after)


async def list_deadlines(session: AsyncSession, authority: str, today: date) -> list[DeadlineItem]:
    """The authority's deadlines, the next one first. Each stays listed for a month after its date."""
    own = [row async for row in _all_rows(session, authority, store.plans, lambda row: row.plan_id)]
    titles = {row.plan_id: str(row.state["title"]) for row in own}
    found = [item for row in own if (item := _contract_item(row)) is not None]
    async for row in _all_rows(session, authority, store.coalitions, lambda row: row.coalition_id):
        found += _coalition_days(row, authority, titles, today)
    return sorted((item for item in found if item.day >= today - PAST), key=lambda item: (item.day, item.uid))


def _coalition_days(row: CoalitionRow, authority: str, titles: Mapping[str, str], today: date) -> list[DeadlineItem]:
    """The dates that one coalition sets for an authority. `titles`: of its own plans."""
    others = {member["authority"] for member in row.payload["members"]} - {authority}
    partners = tuple(sorted(full_name_on(code, today) for code in others))
    return [
        _deadline_item(
            deadline,
            title=titles.get(deadline.plan_id, ""),
            coalition_id=row.coalition_id,
            sequence=row.revision,
            partners=partners,
            updated_at=row.updated_at,
        )
        for deadline in coalition_deadlines(row.coalition, authority)
    ]


async def _all_rows(session: AsyncSession, authority: str, read: Any, key: Callable[[Any], str]) -> AsyncIterator[Any]:
    cut = Cut(limit=ALL_AT_ONCE)
    while True:
        rows = await read(session, authority, cut)
        for row in rows:
            yield row
        if len(rows) < cut.limit:
            return
        cut = replace(cut, after=key(rows[-1]))


def _last(keys: Sequence[str], cut: Cut) -> str | None:
    return keys[-1] if len(keys) == cut.limit else None


def _plan_item(row: PlanRecord) -> PlanItem:
    state = row.state
    contract = state.get("current_contract") or {}
    fields = {
        name: state[name] for name in ("title", "description", "kind", "stage", "cpv", "tender_window", "sharing")
    }
    return PlanItem.model_validate(
        {
            **fields,
            "plan_id": row.plan_id,
            "revision": row.revision,
            "status": row.status,
            "value": pounds_of(state.get("value")),
            "contract_ends": contract.get("end"),
            "extension_months": contract.get("extension_months"),
            "supplier": contract.get("supplier"),
            "regions": state.get("regions", ()),
            "origin": state.get("origin", "authority"),
            "notice": state.get("notice"),
            "updated_at": row.received_at,
        }
    )


async def _opportunity_items(
    session: AsyncSession, authority: str, rows: Sequence[Opportunity], today: date
) -> list[OpportunityItem]:
    stored = await plans.by_id(session, {plan_id for row in rows for plan_id in (row.plan_a, row.plan_b)})
    introduced = await introductions.agreed(session, [row.opportunity_id for row in rows])
    return [
        _opportunity_item(row, redact_for_now(row, stored, authority, introduced), authority, today) for row in rows
    ]


def _opportunity_item(row: Opportunity, payload: Mapping[str, Any], authority: str, today: date) -> OpportunityItem:
    own_is_a = row.authority_a == authority
    partner = _named(payload["plans"][1 if own_is_a else 0], today)
    names = (
        "opportunity_id",
        "revision",
        "band",
        "score",
        "reasons",
        "would_change",
        "common_window",
        "decide_by",
        "join_by",
    )
    return OpportunityItem.model_validate(
        {
            **{name: payload[name] for name in names},
            "nearest_move": payload.get("nearest_move"),
            "status": row.status,
            "plan_id": row.plan_a if own_is_a else row.plan_b,
            "partner": {"notice": None, **partner, "waits": waits_for_person(partner["authority"], today)},
            "updated_at": row.updated_at,
        }
    )


def _named(said: Mapping[str, Any], today: date) -> dict[str, Any]:
    """What an event says of an authority's plan, with the authority's name of today."""
    return {**said, "authority_name": full_name_on(said["authority"], today)}


async def _coalition_items(
    session: AsyncSession, authority: str, rows: Sequence[CoalitionRow], today: date
) -> list[CoalitionItem]:
    ids = {member["plan_id"] for row in rows for member in row.payload["members"]}
    ids |= {proposal["plan_id"] for row in rows for proposal in row.payload["proposals"]}
    open_plans = shared_openly(await plans.by_id(session, ids))
    return [
        _coalition_item(redact_coalition(row.payload, authority, open_plans), row.updated_at, today) for row in rows
    ]


def _coalition_item(payload: Mapping[str, Any], updated_at: datetime, today: date) -> CoalitionItem:
    named = {name: [_named(one, today) for one in payload[name]] for name in ("members", "proposals")}
    return CoalitionItem.model_validate({**payload, **named, "updated_at": updated_at})


def shared_openly(stored: Mapping[str, PlanRecord]) -> Collection[str]:
    """The plans among these that are shared openly now."""
    return {plan_id for plan_id, row in stored.items() if is_open(row.state)}


def _contract_item(row: PlanRecord) -> DeadlineItem | None:
    ends = (row.state.get("current_contract") or {}).get("end")
    if ends is None:
        return None
    return _deadline_item(
        contract_deadline(row.plan_id, date.fromisoformat(ends), active=row.status == Status.ACTIVE),
        title=str(row.state["title"]),
        coalition_id=None,
        # A plan's revision may be a time in microseconds, too large for SEQUENCE.
        sequence=max(0, int((row.received_at - _FIRST_SECOND).total_seconds())),
        partners=(),
        updated_at=row.received_at,
    )


def _deadline_item(
    deadline: Deadline,
    *,
    title: str,
    coalition_id: str | None,
    sequence: int,
    partners: tuple[str, ...],
    updated_at: datetime,
) -> DeadlineItem:
    subject = deadline.subject_id.replace(":", "-")
    several = "" if deadline.kind is DeadlineKind.CONTRACT_END else f"-{deadline.plan_id.replace(':', '-')}"
    return DeadlineItem(
        uid=f"{deadline.kind.value}-{subject}{several}@jointly",
        sequence=sequence,
        kind=deadline.kind,
        status=deadline.status,
        day=deadline.day,
        title=title,
        plan_id=deadline.plan_id,
        coalition_id=coalition_id,
        partners=partners,
        updated_at=updated_at,
    )
