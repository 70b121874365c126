"""The coalition part of the demo: authorities invite, accept and decline over Kafka, each with its own key."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from events.coalitions import CoalitionMember, CoalitionState, CoalitionStatus
from events.jwk import SigningKey, new_key
from events.plans import PlanPayload, PlanUpdated
from events.responses import ResponseInvited, ResponseMembership, ResponsePayload
from matching.calendar import nations_of
from services.application import coalitions as views
from services.application.responses import RESPONSE_EVENTS, Subject, build
from services.domain.deadlines import CoalitionDates, DeadlineError, reply_by
from services.platform.settings import Settings
from services.store import authority_keys, plans
from services.store.authority_keys import AuthorityKey
from services.store.database import Sessions, now, transaction

PATIENCE_SECONDS: Final = 90.0
LOOK_EVERY_SECONDS: Final = 0.2
SCOPE: Final = "The need that all our plans share; lots where councils differ."
ROUTE: Final = "Frameworks checked: none covers it on the day of need."


@dataclass(slots=True)
class CoalitionDemo:
    """Acts for the authorities. `publish` sends plan events; `answers` counts the responses sent."""

    settings: Settings
    sessions: Sessions
    as_of: date
    publish: Callable[[Sequence[PlanPayload]], Awaitable[None]]
    answers: int = 0

    async def play(self) -> None:
        """Move the three largest suggestions with time left to frozen, formed and inviting."""
        chosen = await self._choose(3)
        for coalition, last in zip(chosen, ("frozen", "formed", "inviting"), strict=False):
            await self._act(coalition, last)

    async def _choose(self, count: int) -> list[CoalitionState]:
        """Return the largest suggestions with time left to answer, no plan twice."""
        async with transaction(self.sessions) as session:
            found = await views.listed(session, None, ended=False, limit=1000)
        taken: set[str] = set()
        chosen: list[CoalitionState] = []
        for state in sorted(found, key=lambda one: (-len(one.members), one.coalition_id)):
            own = {member.plan_id for member in state.members}
            if len(chosen) < count and not own & taken and self._in_time(state):
                chosen.append(state)
                taken |= own
        return chosen

    def _in_time(self, state: CoalitionState) -> bool:
        try:
            dates = CoalitionDates(state.together_from, state.decide_by)
            reply_by(self.as_of, dates, nations_of(member.authority for member in state.members))
        except DeadlineError:
            return False
        return state.status == CoalitionStatus.SUGGESTED

    async def _act(self, suggested: CoalitionState, last: str) -> None:
        state = await self._invite(suggested)
        lead = _lead(state)
        others = [member for member in state.members if member is not lead]
        if last == CoalitionStatus.INVITING:
            return
        # The last member declines, as some do; the others continue.
        for member in others:
            act = "decline" if member is others[-1] and len(others) > 1 else "accept"
            await self._respond(ResponseMembership, state, member.plan_id, act=act)
        await self._until(state.coalition_id, "formed")
        if last == CoalitionStatus.FROZEN:
            await self._publish_notice(lead.plan_id)
            await self._until(state.coalition_id, "frozen")

    async def _invite(self, state: CoalitionState) -> CoalitionState:
        """Invite in the lead's name; once more if the suggestion changed before the invitation came."""
        while True:
            terms = state.terms_revision
            await self._respond(ResponseInvited, state, _lead(state).plan_id, scope=SCOPE, route=ROUTE)
            state = await self._until(state.coalition_id, "inviting", after=terms)
            if state.status == CoalitionStatus.INVITING:
                return state

    async def _respond(self, kind: type[ResponsePayload], state: CoalitionState, plan_id: str, **said: Any) -> None:
        authority = plan_id.partition(":")[0]
        subject = Subject("coalition", state.coalition_id, state.terms_revision, plan_id)
        payload = build(kind, {**subject.fields(authority), **said})
        await RESPONSE_EVENTS.send(self.settings, [payload], key=await self._key(authority))
        self.answers += 1

    async def _key(self, authority: str) -> SigningKey:
        """Create and register a new key of the authority."""
        key = new_key(authority)
        async with transaction(self.sessions) as session:
            public = AuthorityKey(
                key_id=key.public.key_id,
                authority=authority,
                public_key=key.public.x,
                valid_from=date(2000, 1, 1),
                created_at=now(),
            )
            await authority_keys.add(session, public)
        return key

    async def _publish_notice(self, plan_id: str) -> None:
        """Publish the lead's plan as tendering: its tender notice is out."""
        async with transaction(self.sessions) as session:
            stored = (await plans.by_id(session, [plan_id]))[plan_id]
        state = {**(stored.state or {}), "revision": stored.revision + 1, "stage": "tendering"}
        await self.publish([PlanUpdated.model_validate(state)])

    async def _until(self, coalition_id: str, status: str, after: int | None = None) -> CoalitionState:
        """Wait until the coalition has this status, or other terms than those of `after`. Raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            async with transaction(self.sessions) as session:
                state = await views.find(session, coalition_id)
            if state.status == status or after not in (None, state.terms_revision):
                return state
            if time.monotonic() > deadline:
                raise TimeoutError(f"coalition {coalition_id} is {state.status}, not {status}")
            await asyncio.sleep(LOOK_EVERY_SECONDS)


def _lead(state: CoalitionState) -> CoalitionMember:
    return next(member for member in state.members if member.plan_id == state.lead)
