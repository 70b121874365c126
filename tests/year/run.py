"""Runs the scenario through the real services. One clock moves from day to day; each is done before the next."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from datetime import time as hour
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from sqlalchemy import create_engine, text

from events.plans import PlanPayload
from events.responses import (
    ResponseAnswered,
    ResponseDecided,
    ResponseEnquiry,
    ResponseInvited,
    ResponseMembership,
    ResponsePayload,
    ResponseRoute,
    ResponseUndone,
)
from events.topics import COALITIONS, NOTICES, OPPORTUNITIES, Topic
from services.application import contracts, responses
from services.domain.ids import plan_subject
from services.ingest.event_publisher import publish_events, shared_topic
from services.platform.clock import LONDON
from services.store import authorities
from services.store.authorities import AuthorityUpdate
from services.store.database import make_engine, make_sessions, transaction
from tests.pipeline import Pipeline
from tests.support.service_processes import run_command
from tests.support.shifted_clock import ShiftedClock, follow
from tests.year import scenario
from tests.year.acts import DAYS, Said, Signatory
from tests.year.expected import Expected

MORNING: Final = hour(10, 0)
PATIENCE_SECONDS: Final = 60.0
GATHERING: Final = timedelta(minutes=1)
"""News is gathered for a moment before it is told; it is waited for, other than the digest of next Monday."""
_GROUPS: Final = (
    ("jointly-coalitions", OPPORTUNITIES),
    ("jointly-notifier", OPPORTUNITIES),
    ("jointly-notifier-coalitions", COALITIONS),
)
_LEFT: Final = """
SELECT (SELECT count(*) FROM plans WHERE assessed_revision < revision) AS plans,
       (SELECT count(*) FROM opportunities WHERE status = 'active' AND review_on <= :today) AS opportunities,
       (SELECT count(*) FROM coalitions WHERE review_on <= :today) AS coalitions,
       (SELECT count(*) FROM benchmark_requests
        WHERE status = 'requested' AND CAST(state ->> 'due_on' AS date) < :today) AS benchmarks,
       (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS outbox
"""
_UNTOLD: Final = """
SELECT (SELECT count(*) FROM notification_intents i JOIN authorities a USING (authority)
        WHERE i.state IN ('pending', 'queued', 'sending') AND i.due_at <= :soon AND a.mailbox IS NOT NULL
          AND (a.withdrawn_on IS NULL OR a.withdrawn_on > :today)) AS intents,
       (SELECT count(*) FROM notification_mails WHERE state IN ('queued', 'claimed', 'sending')
        AND next_attempt_at <= :now) AS mails,
       (SELECT count(*) FROM outbox WHERE published_at IS NULL) AS outbox
"""


class Year:
    """A scenario under way."""

    def __init__(self, line: Pipeline, clock: ShiftedClock, clock_file: Path) -> None:
        self.line, self.expected = line, Expected()
        self._clock, self._clock_file = clock, clock_file
        self._database = create_engine(line.settings.need_database())
        self._sent: list[str] = []

    def days(self) -> Iterator[date]:
        """Yields each day once everything is done that is due on it."""
        with asyncio.Runner() as runner:
            offsets = _Offsets(self.line.settings.kafka_bootstrap_servers[0])
            runner.run(offsets.open())
            try:
                for day in DAYS:
                    self._clock.move_to(datetime.combine(day, MORNING, LONDON))
                    self._settle(day, runner, offsets)
                    self._publish(day)
                    self._settle(day, runner, offsets)
                    if self._answer(day):
                        self._settle(day, runner, offsets)
                    self._wait(lambda day=day: self._requests() == self.expected.requests(day), self._requests)
                    yield day
            finally:
                runner.run(offsets.close())
                self._database.dispose()

    def _sql(self, statement: str, **parameters: Any) -> Sequence[Any]:
        with self._database.begin() as connection:
            return connection.execute(text(statement), parameters).all()

    def programme(self, *arguments: str) -> dict[tuple[str, str], float | None]:
        """What `jointly programme` says."""
        command = ["programme", "--format", "json", *arguments]
        folder = self.line.folder / f"{self._clock.now():%Y-%m-%d}{''.join(arguments)}"
        done = run_command(command, self.line.environment, folder, before=partial(follow, self._clock_file))
        assert done.returncode == 0, done.stderr
        return {(one["section"], one["name"]): one["value"] for one in json.loads(done.stdout)["measures"]}

    def _publish(self, day: date) -> None:
        settings = self.line.settings
        plans = [one for one in scenario.PLANS if one.day == day]
        shared = [one.payload for one in scenario.CONTRACTS if one.day == day]

        async def send() -> None:
            # What a council shares of a contract is there before its plan to extend it.
            if shared:
                await contracts.CONTRACT_EVENTS.send(settings, shared)
            for notice in {one.notice for one in plans}:
                about = [one.payload for one in plans if one.notice is notice]
                await publish_events(settings, about, topic=_notices if notice else shared_topic)

        asyncio.run(send())
        known = {(one.payload.plan_id, one.payload.revision) for one in scenario.PLANS if one.day <= day}
        newest = {one.payload.contract_id: one.payload.revision for one in scenario.CONTRACTS if one.day <= day}

        def missing() -> Any:
            logged = {tuple(row) for row in self._sql("SELECT plan_id, revision FROM plan_log")}
            kept = dict(map(tuple, self._sql("SELECT contract_id, revision FROM contracts")))
            return known - logged, newest.items() - kept.items()

        self._wait(lambda: not any(missing()), missing)

    def _answer(self, day: date) -> bool:
        """Says what is to be said; whether anything is."""
        payloads = []
        for said in (one for one in scenario.ANSWERS if one.day == day):
            payload = self._response(said)
            payloads.append(payload)
            if said.undone:
                payloads.append(self._undo(payload))
        self._sent += [one.response_id for one in payloads]
        if payloads:
            asyncio.run(responses.RESPONSE_EVENTS.send(self.line.settings, payloads))
        self._wait(lambda: not self._unheard(), self._unheard)
        return bool(payloads)

    def _unheard(self) -> set[str]:
        return set(self._sent) - {row.response_id for row in self._sql("SELECT response_id FROM responses")}

    def _response(self, said: Said) -> ResponsePayload:
        subject, subject_id, revision = self._subject(said)
        fields = {
            "response_id": f"said-{scenario.ANSWERS.index(said):05}",
            "authority": said.plan_id.split(":")[0],
            "plan_id": said.plan_id,
            "subject": subject,
            "subject_id": subject_id,
            "subject_revision": revision,
            **said.said,
        }
        if said.kind == "invited":
            return ResponseInvited.model_validate(fields)
        if said.kind == "route":
            return ResponseRoute.model_validate(fields)
        if said.kind == "enquiry":
            del fields["plan_id"]
            return ResponseEnquiry.model_validate(fields)
        if said.kind == "decided":
            return ResponseDecided.model_validate(fields)
        if said.kind in ("accept", "decline", "join", "leave", "commit"):
            return ResponseMembership.model_validate(fields | {"act": said.kind})
        return ResponseAnswered.model_validate(fields | {"answer": said.kind})

    def _undo(self, payload: ResponsePayload) -> ResponsePayload:
        shared = ("authority", "plan_id", "subject", "subject_id", "subject_revision")
        fields = {name: getattr(payload, name) for name in shared}
        return ResponseUndone.model_validate(
            fields | {"response_id": f"{payload.response_id}-undo", "undoes": payload.response_id}
        )

    def _subject(self, said: Said) -> tuple[str, str, int]:
        """What the council looks at while it answers: the subject as it stands."""
        if said.about == "plan":
            return "plan", plan_subject(said.plan_id), 1
        if said.about == "pair":
            plan_a, plan_b = sorted((said.plan_id, said.partner))
            ((pair, revision),) = self._sql(
                "SELECT opportunity_id, revision FROM opportunities WHERE plan_a = :plan_a AND plan_b = :plan_b",
                plan_a=plan_a,
                plan_b=plan_b,
            )
            return "opportunity", pair, revision
        if said.about == "benchmark":
            ((request, revision),) = self._sql(
                "SELECT request_id, revision FROM benchmark_requests WHERE plan_id = :plan",
                plan=said.partner or said.plan_id,
            )
            return "benchmark", request, revision
        ((coalition, revision),) = self._sql(
            "SELECT coalition_id, CAST(c.state ->> 'terms_revision' AS int) FROM coalitions c"
            " JOIN coalition_members USING (coalition_id) WHERE plan_id = :plan ORDER BY created_at DESC LIMIT 1",
            plan=said.plan_id,
        )
        return "coalition", coalition, revision

    def _requests(self) -> dict[str, str]:
        return {row.plan_id: row.status for row in self._sql("SELECT plan_id, status FROM benchmark_requests")}

    def _settle(self, day: date, runner: asyncio.Runner, offsets: "_Offsets") -> None:
        """Waits until nothing is left to do: each look comes after the one at whatever feeds what it looks at."""

        def left() -> dict[str, Any]:
            ((row),) = self._sql(_LEFT, today=day)
            found = dict(row._mapping)
            found |= runner.run(offsets.behind(_GROUPS[:1]))
            ((row),) = self._sql("SELECT count(*) AS outbox FROM outbox WHERE published_at IS NULL")
            found["published"] = row.outbox
            found |= runner.run(offsets.behind(_GROUPS[1:]))
            now = self._clock.now()
            ((row),) = self._sql(_UNTOLD, now=now, soon=now + GATHERING, today=day)
            found |= dict(row._mapping)
            return {name: count for name, count in found.items() if count}

        self._wait(lambda: not left(), left)

    def _wait(self, done: Any, what: Any) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            dead = [process for process in self.line.running if not process.running()]
            if dead or time.monotonic() > deadline:
                logs = "\n".join(f"--- {one.name}\n{one.log_tail(15)}" for one in self.line.running)
                raise AssertionError(f"still left on {self._clock.now():%d %B %Y}: {what()}\n{logs}")
            time.sleep(0.1)


def _notices(_: PlanPayload) -> str:
    return NOTICES.name


class _Offsets:
    """How far the services have read what they send each other."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap

    async def open(self) -> None:
        """Connects."""
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap)
        await self._admin.start()
        await self._consumer.start()

    async def close(self) -> None:
        """Disconnects."""
        await self._admin.close()
        await self._consumer.stop()

    async def behind(self, groups: Sequence[tuple[str, Topic]]) -> dict[str, int]:
        """By group, how many records of its topic it has not handled."""
        found = {}
        for group, topic in groups:
            ends = await self._consumer.end_offsets(
                [TopicPartition(topic.name, number) for number in range(topic.partitions)]
            )
            committed = await self._admin.list_consumer_group_offsets(group)
            found[group] = sum(end - max(0, committed[at].offset if at in committed else 0) for at, end in ends.items())
        return found


def enrol(database_url: str, register: Sequence[Signatory]) -> None:
    """Writes the register, with all the days that are to come."""

    async def save() -> None:
        engine = make_engine(database_url)
        async with transaction(make_sessions(engine)) as session:
            for one in register:
                days = {"signed_on": one.signed_on, "lapsed_on": one.lapsed_on, "withdrawn_on": one.withdrawn_on}
                fields = {"name": one.authority, "mailbox": one.mailbox, **days}
                await authorities.save(session, AuthorityUpdate(one.authority, fields))
        await engine.dispose()

    asyncio.run(save())
