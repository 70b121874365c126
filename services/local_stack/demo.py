"""The demo: runs the whole pipeline once. Plan events arrive over Kafka, opportunities leave, and matched authorities
get emails."""

import asyncio
import re
import secrets
import shutil
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from events.plans import PlanPayload
from matching.reference import authority as known_authority
from matching.reference.authority_names import identify
from services.application.digests import flush_all
from services.application.page_links import PageLink, links_to_groups
from services.collector.app import collect_once
from services.ingest.event_publisher import content_hash, publish_events
from services.local_stack.child_process import LOOPBACK, ChildProcess, free_port
from services.local_stack.coalition_demo import CoalitionDemo
from services.local_stack.demo_office import register_office
from services.local_stack.feed_server import FeedServer, Release, serving
from services.local_stack.stack import Stack
from services.messaging import topic_admin
from services.platform.settings import Settings
from services.store import authorities as register
from services.store.authorities import AuthorityUpdate
from services.store.database import Sessions, make_engine, make_sessions, transaction
from services.store.migrate import migrate
from services.store.opportunities import Opportunity, top_by_score
from services.store.progress import Progress, count_untold, progress

FOLDER: Final = Path(".jointly") / "demo"
STALLED_SECONDS: Final = 180.0
"""Without progress for this long, the demo gives up, unless its caller says otherwise."""
CONSUMERS: Final = ("matcher", "coalitions", "notifier")
KINDS: Final = ("matcher", "coalitions", "relay", "notifier", "web")
LOOK_EVERY_SECONDS: Final = 0.5
MAX_LINKS: Final = 8
"""Most links to pages that are printed: enough to try each side of a group."""
FLUSH_EVERY_SECONDS: Final = 0.1
"""The interval between flushes of the weekly digests. Each flush sends an authority at most one email's content."""
WATCHING_SHARE: Final = 0.2
"""The largest share of the time in which the demo reads the database. Counting many rows takes long, and delays the
processes."""

Say = Callable[[str], None]
Show = Callable[[str, int, int], None]
"""Called with the progress of a step: its name, the number done, the total."""


class StalledError(Exception):
    """The pipeline makes no more progress; the message says where, and which log to read."""


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The result of the demo. `collected` counts plans from public notices; `best` are the strongest active
    opportunities; `mails_in` is the folder of the emails."""

    counts: Progress
    dead_letters: int
    best: Sequence[Opportunity]
    mails: int
    mails_in: Path
    collected: int
    answers: int
    seconds: float
    pages: str = ""
    links: Sequence[PageLink] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """How the caller sees the progress of a step, and for how long it waits without any."""

    show: Show
    stalled_seconds: float = STALLED_SECONDS


@dataclass(frozen=True, slots=True)
class _Running:
    stack: Stack
    settings: Settings
    sessions: Sessions
    processes: dict[str, ChildProcess]
    watch: Watch


def run(
    waves: Sequence[Sequence[PlanPayload]],
    as_of: date,
    *,
    notices: Sequence[Release] = (),
    say: Say,
    watch: Watch,
    stay: Callable[[DemoResult, Stack], None] | None = None,
) -> DemoResult:
    """Run the waves of plan events through a stack of its own; each wave ends before the next begins.

    A later wave makes corrections visible: an authority learns of changes to opportunities in earlier emails. `notices`
    come last, from a stand-in for Find a Tender. `stay` is called with the result while everything still runs. Raises
    StalledError where nothing moves any more.
    """
    started = time.monotonic()
    with suppress(FileNotFoundError):
        shutil.rmtree(FOLDER / "mails")
        shutil.rmtree(FOLDER / "postgres")
    environment = {
        "JOINTLY_AS_OF": as_of.isoformat(),
        "JOINTLY_NOTIFY_BATCH_SECONDS": "3",
        "JOINTLY_SWEEP_INTERVAL_SECONDS": "5",
        **pages_environment(),
    }
    with Stack(FOLDER, environment=environment, progress=say) as stack:
        settings = settings_of(stack)
        prepare(settings, say)
        processes = start_services(stack, say)
        outcome = asyncio.run(_drive(stack, settings, processes, waves, notices, watch, as_of))
        outcome = replace(outcome, seconds=round(time.monotonic() - started, 1))
        if stay is not None:
            stay(outcome, stack)
    return outcome


def pages_environment() -> dict[str, str]:
    """Settings that open the pages on a free port, and have emails link to them."""
    port = free_port()
    return {
        "JOINTLY_WEB_PORT": str(port),
        "JOINTLY_PUBLIC_URL": f"http://{LOOPBACK}:{port}",
        "JOINTLY_LINK_SECRET": secrets.token_hex(32),
    }


async def load_links(settings: Settings, limit: int) -> list[PageLink]:
    """One signed link to the pages for each authority that has a group."""
    database = make_engine(settings.need_database(), pool=1)
    try:
        async with transaction(make_sessions(database)) as session:
            return await links_to_groups(session, settings, limit)
    finally:
        await database.dispose()


def settings_of(stack: Stack) -> Settings:
    """Return the settings that point at a stack."""
    names = {name.removeprefix("JOINTLY_").lower(): value for name, value in stack.environment.items()}
    return Settings.model_validate(names)


def prepare(settings: Settings, say: Say) -> None:
    """Create the tables and topics."""
    say("Creating tables and topics")
    migrate(settings.need_database(limited=False))
    asyncio.run(topic_admin.create(settings))


def start_services(stack: Stack, say: Say) -> dict[str, ChildProcess]:
    """Start one process of each kind, and wait until all are ready."""
    say("Starting matcher, coalitions, relay, notifier and pages (the matcher loads its model)")
    processes = {name: stack.spawn([name]) for name in KINDS}
    for process in processes.values():
        stack.wait_ready(process)
    return processes


async def _drive(
    stack: Stack,
    settings: Settings,
    processes: dict[str, ChildProcess],
    waves: Sequence[Sequence[PlanPayload]],
    notices: Sequence[Release],
    watch: Watch,
    as_of: date,
) -> DemoResult:
    database = make_engine(settings.need_database())
    running = _Running(stack, settings, make_sessions(database), processes, watch)
    try:
        buyers = [buyer.code for one in notices if (buyer := identify(one["buyer"]["name"]))]
        codes = {p.authority for wave in waves for p in wave} | set(buyers)
        await _register_authorities(running.sessions, codes, as_of)
        handled: set[tuple[str, int, str]] = set()
        for wave in waves:
            await _publish(running, wave)
            handled |= {(p.plan_id, p.revision, content_hash(p)) for p in wave}
            await _wait_until_assessed(running, len(handled))
            await _wait_until_notified(running)
        collected = await _collect(running, notices) if notices else 0
        await _wait_until_assessed(running, len(handled) + collected)
        await _wait_until_notified(running)
        answers = await _play(running, as_of)
        await _wait_until_notified(running)
        async with transaction(running.sessions) as session:
            counts = await progress(session)
            best = await top_by_score(session, 5)
    finally:
        await database.dispose()
    mailbox = stack.parts.mailbox
    return DemoResult(
        counts=counts,
        dead_letters=_dead_letters(running),
        best=best,
        mails=len(mailbox.paths()),
        mails_in=mailbox.folder,
        collected=collected,
        answers=answers,
        seconds=0.0,
        pages=settings.public_url,
        links=await load_links(settings, MAX_LINKS),
    )


async def _register_authorities(sessions: Sessions, codes: Iterable[str], day: date) -> None:
    """Register each authority of the plans with a mailbox that no email can ever reach, and their programme office."""
    async with transaction(sessions) as session:
        await register_office(session, codes, day)
        for code in sorted(codes):
            known = known_authority(code)
            name = known.name if known else code
            slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60].strip("-")
            fields = {"name": name, "mailbox": register.valid_mailbox(f"procurement@{slug}.example")}
            await register.save(session, AuthorityUpdate(authority=code, fields=fields))


async def _publish(running: _Running, wave: Sequence[PlanPayload]) -> None:
    done = 0

    def acknowledged(_: PlanPayload) -> None:
        nonlocal done
        done += 1
        running.watch.show("Publishing plans", done, len(wave))

    await publish_events(running.settings, wave, progress=acknowledged)


async def _wait_until_assessed(running: _Running, events: int) -> None:
    async def left(session: AsyncSession) -> _Left:
        now = await progress(session)
        return _Left(max(0, events - now.revisions - _dead_letters(running)) + now.pending, now)

    await _until(running, "Matching", events, left)


async def _wait_until_notified(running: _Running) -> None:
    """Wait until everything is published, read by the notifier, batched into emails and sent. Weekly digests are
    flushed."""

    async def unpublished(session: AsyncSession) -> _Left:
        now = await progress(session)
        unread = max(0, now.opportunity_events - _events_in(running, "notifier", "opportunities"))
        ungrouped = max(0, now.opportunity_events - _events_in(running, "coalitions", "opportunities"))
        unnoticed = max(0, now.coalition_events - _events_in(running, "notifier", "coalitions"))
        return _Left(now.outbox_waiting + unread + ungrouped + unnoticed, now)

    await _until(running, "Publishing opportunities", None, unpublished)
    await _tell_all(running)


async def _tell_all(running: _Running) -> None:
    async def untold(session: AsyncSession) -> _Left:
        return _Left(await count_untold(session))

    await _until(running, "Notifying authorities", None, untold, flush=True)


class _Left(NamedTuple):
    """The remaining work of a step. `seen` changes while the step makes progress, even if as much remains."""

    remaining: int
    seen: Progress | None = None


async def _until(
    running: _Running,
    what: str,
    total: int | None,
    count: Callable[[AsyncSession], Awaitable[_Left]],
    *,
    flush: bool = False,
) -> None:
    """Looks again and again until nothing is left. Raises StalledError where nothing moves any more."""
    most, moved = total or 0, time.monotonic()
    last: _Left | None = None
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


async def _collect(running: _Running, notices: Sequence[Release]) -> int:
    """Read the notices as the collector reads a public feed; returns the number of plans made from them."""
    with serving(FeedServer(notices)) as feed:
        changes = {"find_a_tender_url": feed.base, "contracts_finder_url": "", "collect_pause_seconds": 0.0}
        rounds = await collect_once(running.settings.model_copy(update=changes))
    for found in rounds.values():
        if found.fault:
            raise StalledError(f"Collecting notices: {found.fault}")
    return sum(found.published for found in rounds.values())


async def _play(running: _Running, as_of: date) -> int:
    """Let authorities answer; returns the number of answers. Raises StalledError if an answer has no effect."""

    async def publish(payloads: Sequence[PlanPayload]) -> None:
        await publish_events(running.settings, payloads)

    demo = CoalitionDemo(running.settings, running.sessions, as_of, publish)
    try:
        await demo.play()
    except TimeoutError as error:
        raise StalledError(f"Answering: {error}; see {running.stack.folder / 'logs'}") from None
    return demo.answers


def _events_in(running: _Running, process: str, family: str) -> int:
    return int(_metric(running, process, rf'jointly_events_in_total\{{family="{family}"\}}'))


def _dead_letters(running: _Running) -> int:
    return sum(int(_metric(running, name, "jointly_dead_letters_total")) for name in CONSUMERS)


def _metric(running: _Running, process: str, name: str) -> float:
    """Return the sum of a metric over all its labels, from the process's own endpoint."""
    url = f"http://{LOOPBACK}:{running.processes[process].http_port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
    values = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, flags=re.MULTILINE)
    return sum(float(value) for value in values)
