"""Measures the pages: how many a second one web process gives, how long each takes, and what memory it holds.

`python -m tests.bench.pages --size 3086real --copies 1,33`. The plans go through a real matcher and coalitions process
first. `--copies 33` measures again with each of them 33 times in the database (`synthetic_copies`). The client runs in
this process and the server in one of its own, so that two cores do for both.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import httpx2
import numpy as np
import psycopg
import structlog
from sqlalchemy import text

from services.domain.links import LinkMaker
from services.local_stack.child_process import LOOPBACK, free_port, start, stop, wait_until
from services.local_stack.postgres import postgres
from services.local_stack.stack import ready
from services.platform.clock import today
from services.store.authorities import AuthorityUpdate, save
from services.store.database import Sessions, make_engine, make_sessions, transaction
from services.store.migrate import migrate
from services.web.signing import SESSION_COOKIE
from tests.bench.bench import DEFAULT_REAL
from tests.bench.corpora import REAL, Corpus, corpus
from tests.bench.running import say
from tests.bench.synthetic_copies import multiply
from tests.support.coalitions import AS_OF, CoalitionsHarness
from tests.support.matcher import make_matcher
from tests.support.web import SECRET, open_session, web_settings

BATCH: Final = 100
READERS: Final = 20
"""So many authorities read, each its own pages."""
SEARCHES: Final = ("software", "payroll", "cloud", "network", "housing")


async def load_plans(sessions: Sessions, plans: Corpus) -> None:
    """Has the plans matched and grouped, and gives every authority a mailbox."""
    settings = web_settings(as_of=AS_OF)
    harness = CoalitionsHarness(await make_matcher(sessions, settings), sessions, settings)
    async with transaction(sessions) as session:
        for code in sorted({plan.authority for plan in plans.active}):
            await save(session, AuthorityUpdate(code, {"mailbox": f"{code.lower()}@council.example"}))
    for first in range(0, len(plans.active), BATCH):
        await harness.publish(*plans.active[first : first + BATCH])
        if first % (10 * BATCH) == 0:
            say(f"matching, from plan {first}")
    await harness.sweep()


async def reader_pages(sessions: Sessions) -> dict[str, list[tuple[str, str]]]:
    """Paths with their cookies, by the kind of page: of authorities that are in a living coalition."""
    async with sessions() as session:
        rows = await session.execute(
            text(
                "SELECT DISTINCT ON (m.authority) m.authority, m.coalition_id, a.mailbox_ref FROM coalition_members m"
                " JOIN coalitions c USING (coalition_id) JOIN authorities a USING (authority)"
                f" WHERE c.status = 'suggested' ORDER BY m.authority, m.coalition_id LIMIT {READERS}"
            )
        )
        readers = list(rows)
    links = LinkMaker("", (SECRET,))
    pages: dict[str, list[tuple[str, str]]] = {"group": [], "home": [], "search": []}
    for (authority, coalition, mailbox_ref), word in zip(readers, cycle(SEARCHES), strict=False):
        pages["group"].append((links.answer(authority, coalition, mailbox_ref, today(None)), ""))
        # Opening a session sets the mailbox, which changes nothing where it is that already.
        cookie = f"{SESSION_COOKIE}={await open_session(sessions, authority)}"
        pages["home"].append(("/home", cookie))
        pages["search"].append((f"/search?need={word}", cookie))
    return pages


async def measure(base: str, pages: Sequence[tuple[str, str]], clients: int, seconds: float) -> dict[str, float]:
    """Pages a second, and milliseconds: the median and the slowest of 100."""
    waiting, taken, end = cycle(pages), list[float](), time.perf_counter() + seconds

    async def read() -> None:
        async with httpx2.AsyncClient(base_url=base, timeout=60) as client:
            while time.perf_counter() < end:
                path, cookie = next(waiting)
                began = time.perf_counter()
                answer = await client.get(path, headers={"Cookie": cookie} if cookie else {})
                assert answer.status_code == 200, (path.split("?")[0], answer.status_code)
                taken.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(read() for _ in range(clients)))
    milliseconds = np.array(taken) * 1000
    return {
        "pages_per_second": round(len(taken) / (time.perf_counter() - began), 1),
        "p50_ms": round(float(np.percentile(milliseconds, 50)), 1),
        "p99_ms": round(float(np.percentile(milliseconds, 99)), 1),
    }


def peak_memory(pid: int) -> int:
    """The most that a process has held so far, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) // 1024


async def measure_pages(url: str, folder: Path, given: argparse.Namespace, plans: int) -> list[dict[str, Any]]:
    """Starts a web process on the database and measures each kind of page, alone and with several readers."""
    health, port = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "JOINTLY_DATABASE_URL": url.replace("+psycopg", ""),
        "JOINTLY_LINK_SECRET": SECRET,
        "JOINTLY_SMTP_URL": "smtp://127.0.0.1:1",
        "JOINTLY_AS_OF": AS_OF.isoformat(),
        "JOINTLY_HTTP_PORT": str(health),
        "JOINTLY_WEB_PORT": str(port),
    }
    engine = make_engine(url)
    pages = await reader_pages(make_sessions(engine))
    await engine.dispose()
    command = [sys.executable, "-m", "services.cli", "web"]
    process = start("jointly web", command, folder / "web.log", environment=environment)
    results = []
    try:
        await asyncio.to_thread(wait_until, lambda: ready(health), process, seconds=60)
        for kind, found in pages.items():
            for clients in (1, given.clients):
                await measure(f"http://{LOOPBACK}:{port}", found, clients, 1)
                measured = await measure(f"http://{LOOPBACK}:{port}", found, clients, given.seconds)
                memory = peak_memory(process.pid)
                results.append({"plans": plans, "page": kind, "clients": clients, **measured, "memory_mb": memory})
                print(json.dumps(results[-1]), flush=True)
    finally:
        stop(process)
    return results


def main() -> None:
    """Loads, measures, and prints one JSON object a line and a table at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default=REAL, help=f"a number of generated plans, or {REAL}")
    parser.add_argument("--copies", default="1,33", help="how often each plan stands in the database, rising")
    parser.add_argument("--real", type=Path, default=DEFAULT_REAL, help="the real plans, as JSON lines")
    parser.add_argument("--clients", type=int, default=8, help="how many read at the same time")
    parser.add_argument("--seconds", type=float, default=20, help="how long each kind of page is read")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    plans, results, times_before = corpus(given.size, given.real), [], 1
    with tempfile.TemporaryDirectory(prefix="jointly-pages-") as made:
        folder = Path(made)
        with postgres(folder / "postgres", folder / "logs") as server, server.fresh_database() as url:
            migrate(url)
            asyncio.run(_load(url, plans))
            for times in sorted(int(one) for one in given.copies.split(",")):
                assert times == 1 or times_before == 1, "the plans are copied once"
                if times > 1:
                    with closing(psycopg.connect(url.replace("+psycopg", ""), autocommit=True)) as connection:
                        multiply(connection, times)
                results += asyncio.run(measure_pages(url, folder, given, len(plans.active) * times))
                times_before = times
    print("| plans | page | readers | pages/s | median | p99 | memory |\n|---|---|---|---|---|---|---|")
    for one in results:
        cells = [f"{one['plans']:,}", one["page"], one["clients"], one["pages_per_second"]]
        cells += [f"{one['p50_ms']} ms", f"{one['p99_ms']} ms", f"{one['memory_mb']} MB"]
        print("| " + " | ".join(map(str, cells)) + " |")


async def _load(url: str, plans: Corpus) -> None:
    engine = make_engine(url)
    await load_plans(make_sessions(engine), plans)
    await engine.dispose()


if __name__ == "__main__":
    main()
