"""A database that a matcher filled, and commands that read it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import pytest
from typer.testing import CliRunner

from events.plans import PlanPayload, PlanPublished
from services.cli import application
from services.platform.settings import settings
from services.store.database import make_engine, make_sessions
from tests.support.matcher import make_harness

TODAY = date(2026, 11, 22)
LEEDS, BRADFORD, CAMDEN, KENT = "E08000035", "E08000032", "E09000007", "E10000016"
Publish = Callable[..., None]


def plan(authority: str, reference: str = "HR-1", **changed: Any) -> PlanPublished:
    """A plan for a payroll system; alike enough for any embedder to see it."""
    return PlanPublished.model_validate(
        {
            "plan_id": f"{authority}:{reference}",
            "revision": 1,
            "authority": authority,
            "title": "Replacement of the HR and payroll system",
            "description": "Hosted HR and payroll software with self-service, absence and pensions reporting.",
            "kind": "renewal",
            "cpv": ["48450000"],
            "value": {"amount": 900_000},
            "tender_window": {"earliest": "2027-06-01", "latest": "2027-08-31"},
            "sharing": "open",
            **changed,
        }
    )


@contextmanager
def open_publisher(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publish]:
    """Hands plans to a matcher on this database. Commands of this process use it, too, as of `TODAY`."""
    monkeypatch.setenv("JOINTLY_DATABASE_URL", database_url)
    monkeypatch.setenv("JOINTLY_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("JOINTLY_EMBEDDING_MODEL", "hashing")
    monkeypatch.setenv("JOINTLY_AS_OF", TODAY.isoformat())
    settings.cache_clear()

    async def take(payloads: tuple[PlanPayload, ...]) -> None:
        engine = make_engine(settings().need_database())
        harness = await make_harness(make_sessions(engine), settings())
        await harness.handle(payloads)
        await engine.dispose()

    yield lambda *payloads: asyncio.run(take(payloads))
    settings.cache_clear()


def run(*words: str) -> Any:
    """Run a command in this process."""
    return CliRunner().invoke(application(words[0]), list(words))
