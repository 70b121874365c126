"""Authorities that answer at random: out of date, twice, and to what others have ended."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import suppress
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from psycopg import OperationalError

from events.cloudevents import encode
from events.contracts import CONTRACT_PAYLOADS, ContractPayload
from events.responses import ResponseAnswered, ResponseInvited, ResponseMembership, ResponsePayload, ResponseUndone
from events.topics import CONTRACTS, RESPONSES
from services.application.contracts import CONTRACT_EVENTS
from services.application.responses import RESPONSE_EVENTS
from tests.chaos.charter_events import CharterEvents
from tests.chaos.cluster import Arena

PAUSE_SECONDS: Final = 0.25


class Answering(threading.Thread):
    """Authorities that answer until they are told to stop. `sent`: the ids of responses that the broker has."""

    def __init__(self, made: Arena, chance: random.Random) -> None:
        super().__init__(name="answering", daemon=True)
        self._arena, self._chance = made, chance
        self._over = threading.Event()
        self._last: list[ResponsePayload] = []
        self.sent: set[str] = set()
        self.charter = CharterEvents(chance)

    def run(self) -> None:
        """One answer after the other, each kept at until the broker has it."""
        asyncio.run(self._answer_on())

    def stop(self) -> None:
        """Returns once the last answer is sent."""
        self._over.set()
        self.join()

    async def _answer_on(self) -> None:
        producer = None
        number = 0
        while not self._over.is_set():
            with suppress(KafkaError, OperationalError, OSError, TimeoutError):
                if producer is None:
                    producer = AIOKafkaProducer(
                        bootstrap_servers=self._arena.bootstrap, acks="all", request_timeout_ms=5000
                    )
                    await producer.start()
                payload = self._choose(number)
                if payload is not None:
                    await self._send(producer, payload)
                    number += 1
            await asyncio.sleep(self._chance.uniform(0, 2 * PAUSE_SECONDS))
        if producer is not None:
            await producer.stop()

    async def _send(self, producer: AIOKafkaProducer, payload: ResponsePayload | ContractPayload) -> None:
        if isinstance(payload, CONTRACT_PAYLOADS):
            message = CONTRACT_EVENTS.message(payload)
            await producer.send_and_wait(CONTRACTS.name, message.value, message.key, headers=list(message.headers))
            self.charter.note(payload)
            return
        # One partition: coalitions depend on each other, and the oracle needs one order.
        message = encode(RESPONSE_EVENTS.event(payload), payload.subject_id)
        await producer.send_and_wait(
            RESPONSES.name, message.value, message.key, partition=0, headers=list(message.headers)
        )
        self.sent.add(payload.response_id)
        self._last = [*self._last[-20:], payload]

    def _choose(self, number: int) -> ResponsePayload | ContractPayload | None:
        """What some authority says now: sense and nonsense, to this version or an older one; sometimes once more."""
        if self._chance.random() < 0.25:
            return self.charter.contract()
        if self._chance.random() < 0.15 and (decision := self.charter.decision(self._arena, number)) is not None:
            return decision
        if self._chance.random() < 0.15 and (answer := self.charter.answer(self._arena, number)) is not None:
            return answer
        if self._last and self._chance.random() < 0.15:
            return self._chance.choice(self._last)
        rows = self._arena.sql("SELECT payload FROM coalitions ORDER BY coalition_id")
        if not rows:
            return None
        state = self._chance.choice(rows)[0]
        member = self._chance.choice(state["members"])
        stale = self._chance.random() < 0.1 and state["terms_revision"] > 1
        fields = {
            "response_id": f"answer-{number:06}",
            "authority": member["authority"],
            "plan_id": member["plan_id"],
            "subject": "coalition",
            "subject_id": state["coalition_id"],
            "subject_revision": state["terms_revision"] - stale,
        }
        undoable = [one for one in self._last if getattr(one, "plan_id", None) == member["plan_id"]]
        if undoable and self._chance.random() < 0.1:
            return ResponseUndone.model_validate(fields | {"undoes": undoable[-1].response_id})
        if self._chance.random() < 0.15:
            return self.charter.route(fields)
        return self._act(fields, state["status"], member["state"])

    def _act(self, fields: dict[str, Any], status: str, member: str) -> ResponsePayload:
        if self._chance.random() < 0.2:
            answers = ("interested", "other-dates", "not-the-same", "not-this-time", "later")
            weights = (5, 3, 0.3, 1, 3)
            answer = self._chance.choices(answers, weights)[0]
            return ResponseAnswered.model_validate(fields | {"answer": answer})
        if status == "suggested" and self._chance.random() < 0.5:
            return ResponseInvited.model_validate(fields)
        likely = {"invited": ("accept", "accept", "decline"), "accepted": ("commit", "leave", "lead")}
        acts = likely.get(member, ("join", "accept", "lead"))
        return ResponseMembership.model_validate(fields | {"act": self._chance.choice(acts)})
