"""The collector process: it reads public feeds, one request at a time, and writes to the topic of notices."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Final

import httpx2

from events.plans import PlanPayload
from events.topics import NOTICES
from services.collector import feed_client, sources
from services.collector.collecting import Collector, RoundResult
from services.collector.feed_client import FeedClient, FeedError
from services.ingest.event_publisher import PublishingError, publish_events
from services.messaging import kafka
from services.platform import logs, metrics, service
from services.platform.clock import LONDON, now, today
from services.platform.dependencies import Dependencies
from services.platform.settings import Settings
from services.platform.version import version
from services.store.database import Sessions, database_responds, make_engine, make_sessions, open_sessions

log: Final = logs.get(__name__)


def run(settings: Settings) -> None:
    """Run one collector until a signal."""
    service.start_logging("collector", settings)
    metrics.export(metrics.Process.COLLECTOR)
    settings.need_kafka()
    settings.need_database()
    service.run_service(settings, partial(_make, settings))


async def collect_once(settings: Settings) -> dict[str, RoundResult]:
    """Run one round over each feed."""
    async with open_sessions(settings.need_database(), pool=1) as sessions, collectors(settings, sessions) as every:
        return {collector.source.name: await _round(collector) for collector in every}


@asynccontextmanager
async def collectors(settings: Settings, sessions: Sessions) -> AsyncIterator[list[Collector]]:
    """Build a collector for each feed in the settings, with one connection to each."""
    headers = {"User-Agent": f"jointly/{version()} (public notices to procurement plans)"}
    # Redirects are not followed: if a feed moves, an operator must change the setting.
    timeout = feed_client.TIMEOUT_SECONDS
    async with httpx2.AsyncClient(headers=headers, timeout=timeout, follow_redirects=False) as http:
        made = []
        if settings.find_a_tender_url:
            made.append(sources.find_a_tender(settings.find_a_tender_url))
        if settings.contracts_finder_url:
            made.append(sources.contracts_finder(settings.contracts_finder_url))
        yield [
            Collector(
                source=source,
                client=FeedClient(source, http, now),
                sessions=sessions,
                publish=partial(_publish, settings),
                clock=now,
                begin=_begin(settings),
                pause=settings.collect_pause_seconds,
            )
            for source in made
        ]


async def _make(settings: Settings) -> service.ServiceParts:
    database = make_engine(settings.need_database(), pool=2)
    sessions = make_sessions(database)
    producer = kafka.make_producer(settings, "jointly-collector")
    dependencies = Dependencies({"kafka": kafka.broker_responds(producer), "postgresql": database_responds(sessions)})
    return service.ServiceParts(
        broker=kafka.make_broker(settings, "jointly-collector"),
        live=[],
        ready=[dependencies.answers("kafka"), database_responds(sessions)],
        on_startup=[producer.start],
        background=[dependencies.watch_for_ever, lambda: _collect_for_ever(settings, sessions)],
        on_shutdown=[producer.stop, database.dispose],
    )


async def _collect_for_ever(settings: Settings, sessions: Sessions) -> None:
    async with collectors(settings, sessions) as every:
        for collector in every:
            # The alert counts from here if no round ever ends. A feed that is not in the settings has no value.
            metrics.FEED_COLLECTED.labels(source=collector.source.name).set(now().timestamp())
        while True:
            for collector in every:
                try:
                    result = await _round(collector)
                    log.info("feed collected", source=collector.source.name, **result.as_json())
                except Exception as error:
                    # A dependency is down, which /health/ready reports. The round resumes at its last page.
                    log.warning("round failed", source=collector.source.name, error=type(error).__name__)
            await asyncio.sleep(settings.collect_seconds)


async def _round(collector: Collector) -> RoundResult:
    """Run one round; the result includes the feed's faults."""
    try:
        return await collector.collect()
    except FeedError as error:
        metrics.FEED_FAULTS.labels(source=collector.source.name).inc()
        log.warning("feed unusable", source=collector.source.name, reason=str(error))
        return RoundResult(fault=str(error))
    except PublishingError as error:
        return RoundResult(fault=str(error))


async def _publish(settings: Settings, events: Sequence[PlanPayload]) -> None:
    if events:
        await publish_events(settings, events, topic=lambda _: NOTICES.name)


def _begin(settings: Settings) -> datetime:
    """Return the start of the first round: the start of a day in the United Kingdom."""
    day = settings.collect_from or today(None) - timedelta(days=1)
    return datetime.combine(day, time(), LONDON).astimezone(UTC)
