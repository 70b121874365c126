"""Waits for the demo's pipeline: until plans are assessed, opportunities published and authorities emailed."""

import asyncio
import re
import time
import urllib.request
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from services.application.digests import flush_all
from services.local_stack.child_process import LOOPBACK, ChildProcess
from services.local_stack.stack import Stack
from services.platform.settings import Settings
from services.store.database import Sessions, transaction
from services.store.progress import Progress, count_untold, progress

STALLED_SECONDS: Final = 180.0
"""Without progress for this long, the demo gives up, unless its caller says otherwise."""
CONSUMERS: Final = ("matcher", "coalitions", "notifier")
LOOK_EVERY_SECONDS: Final = 0.5
FLUSH_EVERY_SECONDS: Final = 0.1
"""The interval between flushes of the weekly digests. Each flush sends an authority at most one email's content."""
WATCHING_SHARE: Final = 0.2
"""The largest share of the time in which the demo reads the database. Counting many rows takes long, and delays the
processes."""
Show = Callable[[str, int, int], None]
"""Called with the progress of a step: its name, the number done, the total."""


class StalledError(Exception):
    """The pipeline makes no more progress; the message says where, and which log to read."""


@dataclass(frozen=True, slots=True)
class Watch:
    """How the caller sees the progress of a step, and for how long it waits without any."""

    show: Show
    stalled_seconds: float = STALLED_SECONDS


@dataclass(frozen=True, slots=True)
class RunningDemo:
    """The demo's stack and processes, and how its caller watches them."""

    stack: Stack
    settings: Settings
    sessions: Sessions
    processes: dict[str, ChildProcess]
    watch: Watch


async def wait_until_assessed(running: RunningDemo, events: int) -> None:
    """Wait until the matcher has assessed this number of plan events."""

    async def left(session: AsyncSession) -> _Remainder:
        now = await progress(session)
        return _Remainder(max(0, events - now.revisions - count_dead_letters(running)) + now.pending, now)

    await _until(running, "Matching", events, left)


async def wait_until_notified(running: RunningDemo) -> None:
    """Wait until everything is published, read by the notifier, batched into emails and sent. Weekly digests are
    flushed."""

    async def unpublished(session: AsyncSession) -> _Remainder:
        now = await progress(session)
        unread = max(0, now.opportunity_events - _events_in(running, "notifier", "opportunities"))
        ungrouped = max(0, now.opportunity_events - _events_in(running, "coalitions", "opportunities"))
        unnoticed = max(0, now.coalition_events - _events_in(running, "notifier", "coalitions"))
        return _Remainder(now.outbox_waiting + unread + ungrouped + unnoticed, now)

    await _until(running, "Publishing opportunities", None, unpublished)
    await wait_until_emailed(running)


async def wait_until_emailed(running: RunningDemo) -> None:
    """Wait until each authority has its emails. Weekly digests are flushed."""

    async def untold(session: AsyncSession) -> _Remainder:
        return _Remainder(await count_untold(session))

    await _until(running, "Notifying authorities", None, untold, flush=True)


class _Remainder(NamedTuple):
    """The remaining work of a step. `seen` changes while the step makes progress, even if as much remains."""

    remaining: int
    seen: Progress | None = None


async def _until(
    running: RunningDemo,
    what: str,
    total: int | None,
    count: Callable[[AsyncSession], Awaitable[_Remainder]],
    *,
    flush: bool = False,
) -> None:
    """Count the remaining work until none is left. Raise StalledError if the count stops changing."""
    most, moved = total or 0, time.monotonic()
    last: _Remainder | None = None
    while True:
        started = time.monotonic()
        running.stack.check()
        if flush:
            await flush_all(running.sessions)
        async with transaction(running.sessions) as session:
            left = await count(session)
        most = max(most, left.remaining)
        running.watch.show(what, most - left.remaining, most)
        if left.remaining == 0:
            return
        now = time.monotonic()
        if left != last:
            last, moved = left, now
        if now - moved > running.watch.stalled_seconds:
            raise StalledError(f"{what}: {left.remaining} left and nothing moves; see {running.stack.folder / 'logs'}")
        pause = FLUSH_EVERY_SECONDS if flush else LOOK_EVERY_SECONDS
        await asyncio.sleep(max(pause, (now - started) * (1 / WATCHING_SHARE - 1)))


def _events_in(running: RunningDemo, process: str, family: str) -> int:
    return int(_metric(running, process, rf'jointly_events_in_total\{{family="{family}"\}}'))


def count_dead_letters(running: RunningDemo) -> int:
    """Count the events that the consuming processes refused."""
    return sum(int(_metric(running, name, "jointly_dead_letters_total")) for name in CONSUMERS)


def _metric(running: RunningDemo, process: str, name: str) -> float:
    """Return the sum of a metric over all its labels, from the process's own endpoint."""
    url = f"http://{LOOPBACK}:{running.processes[process].http_port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
    values = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, flags=re.MULTILINE)
    return sum(float(value) for value in values)
