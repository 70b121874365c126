"""Coalitions without Kafka: plans go to a matcher, its events to the coalitions process, on a real database."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from types import SimpleNamespace
from typing import Any

from sqlalchemy import text

from events.cloudevents import Event, Message, encode
from events.coalitions import CoalitionState
from events.plans import PlanAwarded, PlanPayload, PlanPublished, PlanUpdated, PlanWithdrawn
from events.responses import (
    ResponseAnswered,
    ResponseDates,
    ResponseInvited,
    ResponseMembership,
    ResponsePayload,
    ResponseUndone,
)
from events.topics import DEAD_RESPONSES, OPPORTUNITIES, RESPONSES
from services.application.programme import measures
from services.coalitions.opportunity_handler import OpportunityHandler
from services.coalitions.response_handler import ResponseHandler
from services.coalitions.sweeper import sweep
from services.domain.ids import event_id
from services.matcher.batch_handler import Matcher
from services.platform.settings import Settings
from services.store.database import Sessions, make_engine, make_sessions, now
from tests.pipeline import record_of
from tests.support.ids import opportunity_id
from tests.support.matcher import make_matcher

AS_OF = date(2026, 11, 26)
LEEDS, BRADFORD, KIRKLEES, CALDERDALE = "E08000035", "E08000032", "E08000034", "E08000033"
ALL = (LEEDS, BRADFORD, KIRKLEES, CALDERDALE)


def plan_id(authority: str) -> str:
    """The one plan of an authority."""
    return f"{authority}:HR-1"


def plan(authority: str, revision: int = 1, **changes: Any) -> PlanPublished | PlanUpdated:
    """The same need in every council: an HR and payroll system, to be tendered in the summer of 2027."""
    values: dict[str, Any] = {
        "plan_id": plan_id(authority),
        "revision": revision,
        "authority": authority,
        "title": "Replacement of the HR and payroll system",
        "description": "Human resources and payroll software with self service for managers and employees.",
        "kind": "renewal",
        "cpv": ["48450000"],
        "value": {"amount": 1_200_000},
        "tender_window": {"earliest": "2027-07-01", "latest": "2027-09-30"},
    }
    kind = PlanPublished if revision == 1 else PlanUpdated
    return kind.model_validate({**values, **changes})


def withdrawal(authority: str, revision: int = 2) -> PlanWithdrawn:
    """The authority no longer buys it."""
    return PlanWithdrawn(plan_id=plan_id(authority), revision=revision, authority=authority)


def award(authority: str, revision: int = 3) -> PlanAwarded:
    """The authority's contract is awarded."""
    return PlanAwarded(plan_id=plan_id(authority), revision=revision, authority=authority)


@dataclass
class CoalitionsHarness:
    """A matcher and a coalitions process, one call after the other."""

    matcher: Matcher
    sessions: Sessions
    settings: Settings
    read_up_to: int = 0
    numbers: Any = field(default_factory=count)

    @property
    def responses(self) -> ResponseHandler:
        """The handler of responses, as of the harness's day."""
        return ResponseHandler(self.sessions, self.settings, producer=None)  # type: ignore[arg-type]

    def on(self, day: date) -> None:
        """What follows happens on this day."""
        self.settings = self.settings.model_copy(update={"as_of": day})

    async def publish(self, *payloads: PlanPayload) -> None:
        """Has the matcher handle plan events, and the coalitions process what comes of them."""
        await self.matcher.handle([self.record(payload) for payload in payloads])
        await self.regroup()

    def record(self, payload: PlanPayload) -> Any:
        """A plan event as the matcher gets it."""
        return record_of(payload, next(self.numbers))

    async def clear(self) -> None:
        """Forgets all plans, opportunities and coalitions."""
        async with self.sessions() as session:
            tables = "coalitions, coalition_members, opportunities, plans, plan_log, outbox"
            await session.execute(text(f"TRUNCATE {tables}"))
            await session.commit()
        self.matcher.context.features.invalidate([plan_id(authority) for authority in ALL])
        self.read_up_to = 0

    async def opportunity_records(self) -> list[Any]:
        """The opportunity events that were written since this was asked last."""
        rows = await self.rows(
            f"SELECT id, key, headers, value FROM outbox WHERE topic = '{OPPORTUNITIES.name}'"
            f" AND id > {self.read_up_to} ORDER BY id"
        )
        self.read_up_to = max([self.read_up_to, *(row.id for row in rows)])
        return [
            SimpleNamespace(
                topic=OPPORTUNITIES.name,
                partition=0,
                offset=row.id,
                key=row.key.encode(),
                headers=[(name, value.encode()) for name, value in row.headers],
                value=bytes(row.value) or None,
            )
            for row in rows
        ]

    async def regroup(self) -> None:
        """Hands the new opportunity events to the coalitions process."""
        records = await self.opportunity_records()
        await OpportunityHandler(self.sessions, self.settings).handle(records)

    async def sweep(self) -> None:
        """One round of the sweeper."""
        await sweep(self.sessions, self.settings)

    async def respond(self, *payloads: ResponsePayload) -> None:
        """Has the responses handled, in one batch."""
        await self.responses.handle([response_record(payload, next(self.numbers)) for payload in payloads])

    async def act(self, authority: str, act: str, *, terms: int | None = None, subject: str | None = None) -> None:
        """An authority does something in the only coalition, at the version that stands."""
        state = None if subject and terms else await self.only()
        payload = ResponseMembership(
            **response_fields(
                authority, subject or state.coalition_id, terms or state.terms_revision, next(self.numbers)
            ),
            act=act,  # type: ignore[arg-type]
        )
        await self.respond(payload)

    async def invite(self, authority: str, **changes: Any) -> str:
        """An authority invites all others of the only coalition; the response's id."""
        state = await self.only()
        values = response_fields(authority, state.coalition_id, state.terms_revision, next(self.numbers))
        payload = ResponseInvited(**{**values, "scope": "HR and payroll", **changes})
        await self.respond(payload)
        return payload.response_id

    async def answer(self, authority: str, answer: str, **changes: Any) -> str:
        """An authority answers the only coalition; the response's id."""
        state = await self.only()
        values = response_fields(authority, state.coalition_id, state.terms_revision, next(self.numbers))
        payload = ResponseAnswered(**{**values, "answer": answer, **changes})
        await self.respond(payload)
        return payload.response_id

    async def rows(self, statement: str) -> list[Any]:
        """Rows of a query."""
        async with self.sessions() as session:
            return list(await session.execute(text(statement)))

    async def coalitions(self) -> list[CoalitionState]:
        """All coalitions, oldest first."""
        rows = await self.rows("SELECT payload FROM coalitions ORDER BY created_at, coalition_id")
        return [CoalitionState.model_validate(row.payload) for row in rows]

    async def only(self) -> CoalitionState:
        """The only coalition there is."""
        (state,) = await self.coalitions()
        return state

    async def states(self) -> dict[str, str]:
        """Where each council stands in the only coalition."""
        return {member.authority: member.state for member in (await self.only()).members}

    async def measures(self, section: str) -> dict[str, float | None]:
        """One section of the programme's report. Pairs have the days of the clock, so that a late day has them all."""
        async with self.sessions() as session:
            return {one.name: one.value for one in await measures(session, date(2100, 1, 1)) if one.section == section}

    async def refusals(self) -> list[tuple[str, str]]:
        """Reason and sentence of every answer that did not count, in order."""
        rows = await self.rows(f"SELECT value FROM outbox WHERE topic = '{DEAD_RESPONSES.name}' ORDER BY id")
        letters = [json.loads(bytes(row.value)) for row in rows]
        return [(letter["reason"], letter["detail"]) for letter in letters]


@asynccontextmanager
async def open_harness(database_url: str) -> AsyncIterator[CoalitionsHarness]:
    """A harness on a migrated database, with the hashing model."""
    engine = make_engine(database_url)
    using, sessions = Settings(as_of=AS_OF), make_sessions(engine)
    yield CoalitionsHarness(await make_matcher(sessions, using), sessions, using)
    await engine.dispose()


def response_fields(authority: str, subject_id: str, revision: int, number: int) -> dict[str, Any]:
    """What every response about a coalition says."""
    return {
        "response_id": f"response-{number:06}",
        "authority": authority,
        "plan_id": plan_id(authority),
        "subject": "coalition",
        "subject_id": subject_id,
        "subject_revision": revision,
    }


def pair_fields(authority: str, other: str, number: int) -> dict[str, Any]:
    """What every response about an opportunity says."""
    pair = opportunity_id(plan_id(authority), plan_id(other))
    return {**response_fields(authority, pair, 1, number), "subject": "opportunity"}


def undo(authority: str, coalition_id: str, undoes: str, number: int) -> ResponseUndone:
    """An authority takes an answer back."""
    return ResponseUndone(**response_fields(authority, coalition_id, 1, number), undoes=undoes)


def more_time(authority: str, coalition_id: str, terms: int, reply_by: str, number: int) -> ResponseDates:
    """The lead gives the others more time."""
    values = response_fields(authority, coalition_id, terms, number)
    return ResponseDates.model_validate({**values, "reply_by": reply_by})


def response_message(payload: ResponsePayload) -> tuple[Event, Message]:
    """A response as a Kafka message."""
    event = Event(
        id=event_id("response", payload.response_id, payload.model_dump_json()),
        type=payload.type,
        source=f"/authorities/{payload.authority}/responses",
        time=now(),
        subject=payload.subject_id,
        payload=payload,
    )
    return event, encode(event, payload.subject_id)


def response_record(payload: ResponsePayload, offset: int, topic: str = RESPONSES.name) -> Any:
    """A response as the handler gets it from the consumer."""
    _, message = response_message(payload)
    place = {"topic": topic, "partition": 0, "offset": offset}
    return SimpleNamespace(**place, key=message.key, headers=message.headers, value=message.value)


def authorities(states: Sequence[CoalitionState]) -> list[list[str]]:
    """The councils of each coalition, sorted."""
    return [sorted(member.authority for member in state.members) for state in states]
