"""The oracle of answers: one process that never stops handles the same answers on a copy of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import psycopg

from events.topics import RESPONSES
from services.coalitions.benchmark_requests import random_id, sweep_requests
from services.coalitions.response_handler import ResponseHandler
from services.local_stack.child_process import LOOPBACK
from services.store.database import make_engine, make_sessions
from tests.chaos import charter_events
from tests.chaos.cluster import Arena
from tests.pipeline import AS_OF, records_of

COPY: Final = "before_answers"
_TABLES: Final = {
    "coalitions": "SELECT coalition_id, revision, status, status_by, state, payload FROM coalitions ORDER BY 1",
    "members": "SELECT coalition_id, plan_id, state FROM coalition_members ORDER BY 1, 2",
    "answers": "SELECT response_id, outcome, detail, change, about, undone_by FROM responses ORDER BY 1",
    "verdicts": "SELECT plan_a, plan_b, authority, reason, words FROM pair_verdicts ORDER BY 1, 2, 3",
    "benchmarks": "SELECT request_id, plan_id, status, revision, state FROM benchmark_requests ORDER BY 1",
    "enquiries": "SELECT request_id, authority, answer, contract_id FROM benchmark_enquiries ORDER BY 1, 2",
}


def copy_database(made: Arena) -> None:
    """The database as it is before the first answer."""
    url = f"postgresql://postgres:{made.database.password}@{LOOPBACK}:{made.database.port}/postgres"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'jointly'")
        connection.execute(f"CREATE DATABASE {COPY} TEMPLATE jointly")


async def compare(made: Arena, plan_ids: Sequence[str]) -> list[str]:
    """What differs from the coalitions of one process that handled the same answers and never stopped."""
    records = await asyncio.to_thread(records_of, made.bootstrap, RESPONSES.name, quiet_seconds=2.0)
    records = sorted(records, key=lambda record: (record.partition, record.offset))
    url = _url(made, COPY)
    engine = make_engine(url)
    handler = ResponseHandler(make_sessions(engine), made.settings, producer=None)  # type: ignore[arg-type]
    # Decisions came later than the requests that they are about. Their random ids are those that the answers name.
    ids = dict(await asyncio.to_thread(made.sql, "SELECT plan_id, request_id FROM benchmark_requests"))
    await sweep_requests(make_sessions(engine), AS_OF, new_id=lambda plan_id: ids.get(plan_id) or random_id(plan_id))
    for record in records:
        await handler.handle([record])
    survivors = make_engine(_url(made, "jointly"))
    found = await charter_events.compare_routes(make_sessions(survivors), make_sessions(engine), plan_ids)
    await survivors.dispose()
    await engine.dispose()
    for name, query in _TABLES.items():
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            wanted = connection.execute(query).fetchall()
        actual = await asyncio.to_thread(made.sql, query)
        found += [f"{name}: is {row}" for row in actual if row not in wanted]
        found += [f"{name}: ought to be {row}" for row in wanted if row not in actual]
    return [text[:600] for text in found]


def _url(made: Arena, database: str) -> str:
    return f"postgresql+psycopg://postgres:{made.database.password}@{LOOPBACK}:{made.database.port}/{database}"
