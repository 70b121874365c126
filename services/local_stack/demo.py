"""The demo: runs the whole pipeline once. Plan events arrive over Kafka, opportunities leave, and matched authorities
get emails."""

import asyncio
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from events.plans import PlanPayload
from matching.reference import authority as known_authority
from matching.reference.authority_names import identify
from services.application.page_links import PageLink, links_to_groups
from services.collector.app import collect_once
from services.ingest.event_publisher import publication_hash, publish_events
from services.local_stack.child_process import LOOPBACK, ChildProcess, free_port
from services.local_stack.coalition_demo import CoalitionDemo
from services.local_stack.demo_office import register_office
from services.local_stack.demo_progress import (
    RunningDemo,
    StalledError,
    Watch,
    count_dead_letters,
    wait_until_assessed,
    wait_until_notified,
)
from services.local_stack.feed_server import FeedServer, Release, serving
from services.local_stack.stack import Stack
from services.messaging import topic_admin
from services.platform.settings import PREFIX, Settings
from services.store import authorities as register
from services.store.authorities import AuthorityUpdate
from services.store.database import Sessions, open_sessions, transaction
from services.store.migrate import migrate
from services.store.opportunities import Opportunity, top_by_score
from services.store.progress import Progress, progress

FOLDER: Final = Path(".jointly") / "demo"
KINDS: Final = ("matcher", "coalitions", "relay", "notifier", "web")
MAX_LINKS: Final = 8
"""Most links to pages that are printed: enough to try each side of a group."""

Say = Callable[[str], None]


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
    StalledError if nothing moves any more.
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
    async with open_sessions(settings.need_database(), pool=1) as sessions, transaction(sessions) as session:
        return await links_to_groups(session, settings, limit)


def settings_of(stack: Stack) -> Settings:
    """Return the settings of a stack. Settings that it omits have their defaults, as in its processes."""
    defaults = {name: field.get_default() for name, field in Settings.model_fields.items()}
    chosen = {name.removeprefix(PREFIX).lower(): value for name, value in stack.environment.items()}
    return Settings.model_validate({**defaults, **chosen})


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
    async with open_sessions(settings.need_database()) as sessions:
        running = RunningDemo(stack, settings, sessions, processes, watch)
        buyers = [buyer.code for one in notices if (buyer := identify(one["buyer"]["name"]))]
        codes = {p.authority for wave in waves for p in wave} | set(buyers)
        await _register_authorities(running.sessions, codes, as_of)
        handled: set[tuple[str, int, str]] = set()
        for wave in waves:
            await _publish(running, wave)
            handled |= {(p.plan_id, p.revision, publication_hash(p)) for p in wave}
            await wait_until_assessed(running, len(handled))
            await wait_until_notified(running)
        collected = await _collect(running, notices) if notices else 0
        await wait_until_assessed(running, len(handled) + collected)
        await wait_until_notified(running)
        answers = await _play(running, as_of)
        await wait_until_notified(running)
        async with transaction(running.sessions) as session:
            counts = await progress(session)
            best = await top_by_score(session, 5)
    mailbox = stack.parts.mailbox
    return DemoResult(
        counts=counts,
        dead_letters=count_dead_letters(running),
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


async def _publish(running: RunningDemo, wave: Sequence[PlanPayload]) -> None:
    done = 0

    def acknowledged(_: PlanPayload) -> None:
        nonlocal done
        done += 1
        running.watch.show("Publishing plans", done, len(wave))

    await publish_events(running.settings, wave, progress=acknowledged)


async def _collect(running: RunningDemo, notices: Sequence[Release]) -> int:
    """Read the notices as the collector reads a public feed; returns the number of plans made from them."""
    with serving(FeedServer(notices)) as feed:
        changes = {"find_a_tender_url": feed.base, "contracts_finder_url": "", "collect_pause_seconds": 0.0}
        rounds = await collect_once(running.settings.model_copy(update=changes))
    for found in rounds.values():
        if found.fault:
            raise StalledError(f"Collecting notices: {found.fault}")
    return sum(found.published for found in rounds.values())


async def _play(running: RunningDemo, as_of: date) -> int:
    """Let authorities answer; returns the number of answers. Raises StalledError if an answer has no effect."""

    async def publish(payloads: Sequence[PlanPayload]) -> None:
        await publish_events(running.settings, payloads)

    demo = CoalitionDemo(running.settings, running.sessions, as_of, publish)
    try:
        await demo.play()
    except TimeoutError as error:
        raise StalledError(f"Answering: {error}; see {running.stack.folder / 'logs'}") from None
    return demo.answers
