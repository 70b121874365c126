"""A feed collected into PostgreSQL: every quirk of the real ones, crashes between publishing and remembering, gaps."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from events.plans import PlanPayload, PlanWithdrawn
from events.topics import NOTICES, PLANS
from services.collector.app import collect_once
from services.collector.collecting import Collector
from services.collector.feed_client import MAX_PAGE_BYTES, FeedClient, FeedError, parse
from services.collector.sources import LONDON, Source, contracts_finder, find_a_tender
from services.ingest.entries import AcceptedEntry, Options
from services.ingest.event_publisher import plan_event
from services.ingest.ocds.reader import read_ocds
from services.local_stack.feed_server import FeedQuirks, FeedServer, serving
from services.messaging.topic_admin import create
from services.platform import metrics
from services.platform.settings import Settings
from services.store import feeds, plan_log
from services.store.bulk_writes import BulkWrites
from services.store.database import make_sessions, transaction
from services.store.mapping import revision_from_event
from services.store.plan_log import RecordOutcome
from tests.conftest import AnyBroker
from tests.support.broker_records import first_records
from tests.support.feeds import day_of_releases, release
from tests.support.service_processes import run_command
from tests.unit.ingest import SHARED

DAY = datetime(2026, 11, 27, tzinfo=LONDON)
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


class Published:
    """Where events go, as Kafka would take them. A crash may come before it took them, or after."""

    def __init__(self) -> None:
        self.events: list[PlanPayload] = []
        self.crashes: list[str] = []

    async def __call__(self, events: Sequence[PlanPayload]) -> None:
        crash = self.crashes.pop() if self.crashes else "none"
        if crash == "before":
            raise ConnectionError("killed before publishing")
        self.events += events
        if crash == "after":
            raise ConnectionError("killed between publishing and remembering")

    def newest(self) -> dict[str, PlanPayload]:
        found: dict[str, PlanPayload] = {}
        for event in self.events:
            if event.plan_id not in found or event.revision >= found[event.plan_id].revision:
                found[event.plan_id] = event
        return found

    def conflicts(self) -> int:
        """Revisions of a plan that were published with two contents."""
        contents: dict[tuple[str, int], set[str]] = {}
        for event in self.events:
            contents.setdefault((event.plan_id, event.revision), set()).add(event.model_dump_json())
        return sum(len(content) > 1 for content in contents.values())


@asynccontextmanager
async def collector(
    database: AsyncEngine, source: Source, published: Published, now: datetime = NOON
) -> AsyncIterator[Collector]:
    async with httpx2.AsyncClient(timeout=20) as http:
        yield Collector(
            source=source,
            client=FeedClient(source, http, lambda: now),
            sessions=make_sessions(database),
            publish=published,
            clock=lambda: now,
            begin=DAY.astimezone(UTC),
            pause=0.0,
        )


async def collect_all(database: AsyncEngine, server: FeedServer, source: Source, published: Published) -> int:
    """Rounds until everything is collected, coming back whenever the feed says so; how often that was."""
    now, refusals = NOON, 0
    for _ in range(300):
        server.clock = now.timestamp
        async with collector(database, source, published, now) as one:
            try:
                result = await one.collect()
            except ConnectionError:
                continue
        if result.complete:
            return refusals
        refusals += bool(result.refused)
        now += timedelta(seconds=121 if source.name == "find-a-tender" else 301)
    raise AssertionError("the feed never ended")


QUIRKS = {
    "none": FeedQuirks(),
    "429": FeedQuirks(requests=3),
    "429 without Retry-After": FeedQuirks(requests=3, says_when=False),
    "403": FeedQuirks(requests=3, seconds=300, refusal=403),
    "504": FeedQuirks(gateway_timeouts=2),
    "no next link": FeedQuirks(loses_next_link=True),
    "wild numbers": FeedQuirks(wild_numbers=True),
    "Latin-1": FeedQuirks(latin_1=True),
    "pages shift": FeedQuirks(repeats_on_next_page=True),
    "wide windows lose": FeedQuirks(loses_in_wide_windows=True),
}


@pytest.mark.parametrize("name", QUIRKS)
async def test_430_releases_come_through_whatever_the_feed_does(database: AsyncEngine, name: str) -> None:
    published = Published()
    with serving(FeedServer(day_of_releases(430, DAY), quirks=replace(QUIRKS[name]))) as server:
        make = contracts_finder if name == "403" else find_a_tender
        refusals = await collect_all(database, server, make(server.base), published)
    assert len(published.events) == len({event.plan_id for event in published.events}) == 430
    assert (refusals > 0) == (name in ("429", "429 without Retry-After", "403", "504"))
    assert "Café" in published.events[0].model_dump_json()


async def test_a_collector_killed_50_times_loses_nothing(
    database: AsyncEngine,
) -> None:
    published = Published()
    chance = random.Random(7)
    published.crashes = [
        "none",
        *chance.choices(["before", "after"], k=25),
        "none",
        *chance.choices(["before", "after"], k=25),
    ]
    with serving(FeedServer(day_of_releases(430, DAY))) as server:
        await collect_all(database, server, find_a_tender(server.base), published)
    assert published.crashes == []
    assert len(published.newest()) == 430
    assert published.conflicts() == 0


def _real_releases(count: int) -> list[dict[str, Any]]:
    """The real notices over and over, each time as processes of their own, spread over a day."""
    found = [
        release
        for file in sorted((SHARED / "ocds" / "examples").glob("*.json"))
        for release in json.loads(file.read_bytes()).get("releases", [])
    ]
    step = timedelta(hours=23) / count
    return [
        one | {
            "ocid": f"{one['ocid']}-{number}",
            "id": f"{number:06}-2026",
            "date": (DAY + number * step).replace(microsecond=0).isoformat(),
        }
        for number in range(count)
        for one in [found[number % len(found)]]
    ]  # fmt: skip


@pytest.mark.skipif(not (SHARED / "ocds").is_dir(), reason="the real notices are not beside the repository")
async def test_real_notices_become_the_plans_that_their_files_give(database: AsyncEngine, tmp_path: Path) -> None:
    releases = _real_releases(430)
    file = tmp_path / "notices.json"
    file.write_text(json.dumps({"releases": releases}))
    expected = {read.payload.plan_id for read in read_ocds(file, Options()) if isinstance(read, AcceptedEntry)}
    published = Published()
    with serving(FeedServer(releases, quirks=FeedQuirks(requests=3, wild_numbers=True))) as server:
        await collect_all(database, server, find_a_tender(server.base), published)
    assert {event.plan_id for event in published.events} == expected
    assert len(published.events) == len(expected) > 50


async def test_a_second_round_publishes_nothing(database: AsyncEngine) -> None:
    published = Published()
    with serving(FeedServer(day_of_releases(50, DAY))) as server:
        await collect_all(database, server, find_a_tender(server.base), published)
        await collect_all(database, server, find_a_tender(server.base), published)
    assert len(published.events) == 50


async def test_a_page_on_another_host_is_not_followed(database: AsyncEngine) -> None:
    published = Published()
    releases = [release(number, DAY + timedelta(minutes=number)) for number in range(1, 150)]
    with serving(FeedServer(releases, quirks=FeedQuirks(foreign_next_link=True))) as server:
        async with collector(database, find_a_tender(server.base), published) as one:
            with pytest.raises(FeedError, match="another host"):
                await one.collect()


async def test_a_page_beyond_the_limit_is_not_read(database: AsyncEngine) -> None:
    huge = release(1, DAY) | {"padding": "x" * (MAX_PAGE_BYTES + 1)}
    with serving(FeedServer([huge])) as server:
        async with collector(database, find_a_tender(server.base), Published()) as one:
            with pytest.raises(FeedError, match="bytes"):
                await one.collect()


async def test_gaps_in_the_numbers_of_notices_are_counted(database: AsyncEngine) -> None:
    releases = [one for one in day_of_releases(60, DAY) if one["id"] not in ("000007-2026", "000031-2026")]
    with serving(FeedServer(releases)) as server:
        await collect_all(database, server, find_a_tender(server.base), Published())
    sessions = make_sessions(database)
    async with sessions() as session:
        assert await feeds.missing_notices(session, "find-a-tender", "2026-11-27") == 2
    assert metrics.FEED_MISSING.labels(source="find-a-tender")._value.get() == 2


async def test_an_update_alone_is_completed_by_its_process(database: AsyncEngine) -> None:
    published = Published()
    first = release(1, DAY - timedelta(days=90))
    tender = {"id": "1", "title": first["tender"]["title"], "communication": {"futureNoticeDate": "2027-08-01"}}
    update = {name: first[name] for name in ("ocid", "buyer", "parties", "planning")}
    update |= {"id": "000900-2026", "date": (DAY + timedelta(hours=3)).isoformat(), "tag": ["planningUpdate"]}
    with serving(FeedServer([first, update | {"tender": tender}])) as server:
        await collect_all(database, server, find_a_tender(server.base), published)
    (plan,) = published.newest().values()
    content = plan.model_dump(mode="json")
    assert content["description"] == "Ovens, counters and their maintenance"
    assert content["tender_window"]["latest"] == "2027-11-01"


async def store_own(database: AsyncEngine, state: dict[str, Any], topic: str = PLANS.name) -> RecordOutcome:
    """Records an event as the matcher does."""
    from events.plans import PlanPublished

    event = plan_event(PlanPublished.model_validate(state))
    origin = {"topic": topic, "partition": 0, "offset": 0}
    recording = plan_log.RevisionBatch([revision_from_event(event, origin)], BulkWrites())
    async with transaction(make_sessions(database), *recording.queries) as session:
        (outcome,) = await plan_log.append_revisions(session, recording)
    return outcome


OWN = {
    "plan_id": "E06000032:ICT-1",
    "revision": 1,
    "authority": "E06000032",
    "title": "Kitchens",
    "kind": "new",
    "procurement": "ocds-h6vhtk-000001",
    "tender_window": {"earliest": "2027-06-01", "latest": "2027-07-31"},
}


async def test_an_authoritys_own_plan_replaces_the_notices(database: AsyncEngine) -> None:
    published = Published()
    with serving(FeedServer([release(1, DAY), release(3, DAY)])) as server:
        source = find_a_tender(server.base)
        await collect_all(database, server, source, published)
        assert len(published.events) == 2
        for event in published.events:
            await store_own(database, event.model_dump(mode="json"), NOTICES.name)
        await store_own(database, OWN)
        await collect_all(database, server, source, published)
    last = published.events[-1]
    assert isinstance(last, PlanWithdrawn)
    assert last.plan_id == "E06000032:ocds-h6vhtk-000001"
    assert len(published.events) == 3


async def test_a_purchase_the_authority_sent_itself_is_not_published(database: AsyncEngine) -> None:
    await store_own(database, OWN)
    published = Published()
    with serving(FeedServer([release(1, DAY)])) as server:
        await collect_all(database, server, find_a_tender(server.base), published)
    assert published.events == []


async def test_notices_never_change_a_plan_the_authority_sent(database: AsyncEngine) -> None:
    same_plan = OWN | {"plan_id": "E06000032:ocds-h6vhtk-000001"}
    assert await store_own(database, same_plan) is RecordOutcome.APPLIED
    noticed = same_plan | {"revision": 9, "origin": "notice"}
    assert await store_own(database, noticed, NOTICES.name) is RecordOutcome.OUTRANKED
    assert (
        await store_own(database, same_plan | {"revision": 10, "title": "Kitchens and bars"}) is RecordOutcome.APPLIED
    )


DERIVED = OWN | {"plan_id": "E06000032:ocds-x-1.renewal", "origin": "derived", "procurement": "ocds-x-1.renewal"}


def _confirm(plan: str, broker: AnyBroker, database_url: str, folder: Path) -> CompletedProcess[str]:
    environment = {
        "JOINTLY_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap,
        "JOINTLY_DATABASE_URL": database_url.replace("+psycopg", ""),
    }
    return run_command(["confirm", plan], environment, folder)


async def test_one_command_makes_a_derived_plan_the_authority_s_own(
    broker: AnyBroker, database: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    settings = Settings(kafka_bootstrap_servers=(broker.bootstrap,))
    await create(settings, ())
    assert await store_own(database, DERIVED, NOTICES.name) is RecordOutcome.APPLIED
    done = await asyncio.to_thread(_confirm, DERIVED["plan_id"], broker, database_url, tmp_path)
    assert done.returncode == 0, done.stderr
    (record,) = await first_records(settings, PLANS.name, 1)
    confirmed = json.loads(record.value)
    assert "origin" not in confirmed
    assert confirmed["revision"] > 1_000_000_000_000
    assert await store_own(database, confirmed) is RecordOutcome.APPLIED
    # Half a year later it is still true: the same plan under a higher revision.
    again = await asyncio.to_thread(_confirm, DERIVED["plan_id"], broker, database_url, tmp_path)
    assert again.returncode == 0, again.stderr
    *_, record = await first_records(settings, PLANS.name, 2)
    repeated = json.loads(record.value)
    assert repeated["revision"] > confirmed["revision"]
    assert repeated | {"revision": 0} == confirmed | {"revision": 0}


async def test_no_person_is_kept(database: AsyncEngine) -> None:
    with serving(FeedServer([release(1, DAY)])) as server:
        await collect_all(database, server, find_a_tender(server.base), Published())
    async with make_sessions(database)() as session:
        kept = (await session.execute(text("SELECT content::text FROM feed_releases"))).scalars().all()
    assert len(kept) == 1
    assert "Jane" not in str(kept)


def test_the_command_publishes_onto_the_topic_of_notices(broker: AnyBroker, database_url: str) -> None:
    start = datetime.now(LONDON).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(hours=20)
    with serving(FeedServer(day_of_releases(20, start))) as server:
        settings = Settings(
            kafka_bootstrap_servers=(broker.bootstrap,),
            database_url=database_url.replace("+psycopg", ""),  # type: ignore[arg-type]
            find_a_tender_url=server.base,
            contracts_finder_url="",
            collect_pause_seconds=0,
        )
        asyncio.run(create(settings, ()))
        outcomes = asyncio.run(collect_once(settings))
        assert outcomes["find-a-tender"].complete, outcomes
        published = outcomes["find-a-tender"].published
        assert published >= 15
        records = asyncio.run(first_records(settings, NOTICES.name, published))
    assert len({record.key for record in records}) == published


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b'{"a": 1e9999}', float("inf")),
        (b'{"a": 000}', None),
        (b'{"a": " 000,"}', " 000,"),
        (b'{"a": -007.5}', None),
        ('{"a": "Café"}'.encode("latin-1"), "Café"),
    ],
)
def test_pages_are_read_leniently(content: bytes, value: object) -> None:
    assert parse(content) == {"a": value}


@pytest.mark.parametrize("content", [b"<html>", b"[" * 100_000, b""])
def test_what_is_no_json_is_an_error(content: bytes) -> None:
    with pytest.raises(FeedError):
        parse(content)
