"""One round over a feed. Each page is published and then stored, so that a crash repeats one page at most."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.plans import PlanPayload, PlanState, PlanUpdated, PlanWithdrawn
from services.collector.feed_client import FeedClient, FeedError, Page, Refusal
from services.collector.notice_plans import ProcessPlans, read_processes, to_publish, to_row
from services.collector.precedence import own_plan_for
from services.collector.releases import kept
from services.collector.releases import to_row as to_release_row
from services.collector.sources import PAGE_SIZE, Source, first_moment, window_from
from services.ingest.buyers import buyers_of
from services.ingest.entries import RefusedError
from services.ingest.loose_json import Object, as_text
from services.platform import logs, metrics
from services.platform.clock import LONDON, day_of
from services.store import feeds
from services.store.database import Sessions, transaction

log: Final = logs.get(__name__)

Publish = Callable[[Sequence[PlanPayload]], Awaitable[object]]
"""Sends events and returns once Kafka has acknowledged them."""


@dataclass(slots=True)
class RoundResult:
    """The result of a round over one feed. `complete`: everything up to now was collected."""

    pages: int = 0
    releases: int = 0
    published: int = 0
    complete: bool = False
    refused: int = 0
    fault: str = ""
    rejections: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """Return the result as a sentence."""
        came = f"{self.pages} pages, {self.releases} new releases, {self.published} events published"
        if self.fault:
            return f"{came}; {self.fault}. Run it again: it continues from there"
        if self.refused:
            return f"{came}; the feed asked to come back later ({self.refused})"
        return came if self.complete else f"{came}; the feed asked to come back later, and it is not yet time"

    def as_json(self) -> dict[str, object]:
        """Return the result as JSON."""
        return {
            "pages": self.pages,
            "releases": self.releases,
            "published": self.published,
            "rejected": len(self.rejections),
            "complete": self.complete,
            "refused": self.refused,
            "fault": self.fault,
        }


@dataclass(frozen=True, slots=True)
class Collector:
    """Collects one feed. `pause` separates two requests; `begin` is the start of the first round."""

    source: Source
    client: FeedClient
    sessions: Sessions
    publish: Publish
    clock: Callable[[], datetime]
    begin: datetime
    pause: float

    async def collect(self) -> RoundResult:
        """Collect new releases up to now. If the feed asks to come back later, end early without a fault."""
        result = RoundResult()
        cursor = await self._cursor()
        now = self.clock()
        if cursor.not_before and now < cursor.not_before:
            return result
        begin = cursor.collected_to if cursor.window_until else self._round_start(cursor, now)
        while self._next_window(cursor, begin, now):
            if not await self._window(cursor, result):
                return result
            begin = cursor.collected_to
        result.complete = True
        await self._yield_to_own_plans(result)
        await self._count_missing()
        return result

    def _next_window(self, cursor: feeds.FeedCursor, begin: datetime, now: datetime) -> bool:
        """Move the cursor to the next window, unless it is inside one. False if everything is collected."""
        if cursor.window_until:
            return True
        if (window := window_from(begin, now)) is None:
            return False
        cursor.collected_to, cursor.window_until = window.since, window.until
        cursor.next_url = self.source.window_url(window)
        return True

    async def _cursor(self) -> feeds.FeedCursor:
        async with self.sessions() as session:
            found = await feeds.load_cursor(session, self.source.name)
        return found or feeds.FeedCursor(source=self.source.name, collected_to=self.begin)

    def _round_start(self, cursor: feeds.FeedCursor, now: datetime) -> datetime:
        """Return the start: two hours before the last round ended. The first round of a day also collects the day
        before again."""
        start = first_moment(cursor.collected_to)
        last = cursor.last_page_at
        if last and day_of(last) < day_of(now):
            start = min(start, first_moment(cursor.collected_to - timedelta(days=1)))
        return start

    async def _window(self, cursor: feeds.FeedCursor, result: RoundResult) -> bool:
        """Read the remaining pages of one window. False if the feed asks to come back later."""
        seen: set[str] = set()
        while cursor.next_url and cursor.next_url not in seen:
            seen.add(cursor.next_url)
            if result.pages:
                await asyncio.sleep(self.pause)
            answer = await self.client.fetch(cursor.next_url)
            if isinstance(answer, Refusal):
                result.refused = answer.status
                metrics.FEED_REFUSALS.labels(source=self.source.name).inc()
                cursor.not_before = answer.not_before
                await self._save(cursor)
                return False
            cursor.next_url = answer.next_url or self._after_a_full_page(cursor, answer)
            if cursor.next_url in seen or not cursor.next_url:
                cursor.next_url = None
                cursor.collected_to, cursor.window_until = cursor.window_until or cursor.collected_to, None
            await self._page(cursor, answer, result)
        cursor.window_until = None
        return True

    def _after_a_full_page(self, cursor: feeds.FeedCursor, page: Page) -> str | None:
        """Build the address of the next page. Some full pages lack it; the request then asks for releases older than
        the page."""
        days = [_moment(release) for release in page.releases]
        oldest = min((day for day in days if day), default=None)
        if len(page.releases) < PAGE_SIZE or oldest is None or cursor.window_until is None:
            return None
        window = window_from(cursor.collected_to, oldest + timedelta(seconds=1))
        return self.source.window_url(window) if window else None

    async def _page(self, cursor: feeds.FeedCursor, page: Page, result: RoundResult) -> None:
        """Publish the events of a page's new releases, then store releases and cursor in one transaction."""
        new = await self._unknown(page.releases)
        processes, fetched = await self._processes(new)
        events = [event for process in processes for event in process.events]
        fresh = await self._fresh(events)
        await self.publish(fresh)
        ocids = {event.plan_id: process.ocid for process in processes for event in process.events}
        ours = set(ocids.values())
        cursor.last_page_at, cursor.not_before = self.clock(), None
        rows = [
            to_release_row(self.source.name, release, self.clock(), whole=_is_ours(release, ours))
            for release in (*new, *fetched)
        ]
        async with transaction(self.sessions) as session:
            await feeds.add_releases(session, list({(row.release_id, row.released): row for row in rows}.values()))
            await feeds.save(session, *(to_row(event, ocids.get(event.plan_id, "")) for event in fresh), cursor)
        result.pages += 1
        result.releases += len(new)
        result.published += len(fresh)
        result.rejections += [reason for process in processes for reason in process.rejections]
        metrics.FEED_RELEASES.labels(source=self.source.name).inc(len(new))
        metrics.FEED_PLANS.labels(source=self.source.name).inc(len(fresh))

    async def _unknown(self, releases: Sequence[Object]) -> list[Object]:
        ids = [as_text(release.get("id"))[:200] for release in releases]
        async with self.sessions() as session:
            known = await feeds.known_releases(session, self.source.name, ids)
        fresh: dict[tuple[str, str], Object] = {}
        for release in releases:
            key = as_text(release.get("id"))[:200], as_text(release.get("date"))[:40]
            if key not in known and as_text(release.get("ocid")):
                fresh.setdefault(key, release)
        return list(fresh.values())

    async def _processes(self, new: Sequence[Object]) -> tuple[list[ProcessPlans], list[Object]]:
        """Build the plans of the processes with new releases. Earlier releases are requested from the feed."""
        today = day_of(self.clock())
        ocids = {as_text(release.get("ocid")) for release in new}
        async with self.sessions() as session:
            before = await feeds.releases_of(session, ocids)
        releases = [*before, *map(kept, new)]
        processes = read_processes(self.source, releases, today)
        fetched: list[Object] = []
        for process in processes:
            if process.incomplete and process.rejections:
                fetched += await self._earlier(process.ocid)
        if fetched:
            processes = read_processes(self.source, [*releases, *map(kept, fetched)], today)
        return processes, fetched

    async def _earlier(self, ocid: str) -> list[Object]:
        """Fetch all releases of a process that is known from a change only; none if the feed does not offer them."""
        await asyncio.sleep(self.pause)
        try:
            answer = await self.client.fetch(self.source.process_url(ocid))
        except FeedError as error:
            log.warning("process not found", ocid=ocid, reason=str(error))
            return []
        return [] if isinstance(answer, Refusal) else [r for r in answer.releases if as_text(r.get("ocid")) == ocid]

    async def _fresh(self, events: Sequence[PlanPayload]) -> list[PlanPayload]:
        """Return the events with new content, without plans that the authority has sent itself."""
        async with self.sessions() as session:
            known = await feeds.plans_of(session, [event.plan_id for event in events])
            own = await _own_plans(session, events)
        return to_publish([_yielding(event, own) for event in events], known)

    async def _yield_to_own_plans(self, result: RoundResult) -> None:
        """Withdraw plans of notices whose authority has meanwhile sent a plan of its own."""
        async with self.sessions() as session:
            active = [PlanUpdated.model_validate(state) for state in await feeds.active_plans(session)]
            own = await _own_plans(session, active)
            events = [event for plan in active if isinstance(event := _yielding(plan, own), PlanWithdrawn)]
            known = await feeds.plans_of(session, [event.plan_id for event in events])
        fresh = to_publish(events, known)
        await self.publish(fresh)
        async with transaction(self.sessions) as session:
            await feeds.save(session, *(to_row(event, known[event.plan_id].ocid) for event in fresh))
        result.published += len(fresh)

    async def _save(self, cursor: feeds.FeedCursor) -> None:
        async with transaction(self.sessions) as session:
            await feeds.save(session, cursor)

    async def _count_missing(self) -> None:
        """Count the gaps in the notice numbers of the last closed day. Lost pages would otherwise look like success."""
        yesterday = day_of(self.clock()) - timedelta(days=1)
        async with self.sessions() as session:
            missing = await feeds.missing_notices(session, self.source.name, yesterday.isoformat())
        metrics.FEED_MISSING.labels(source=self.source.name).set(missing)
        metrics.FEED_COLLECTED.labels(source=self.source.name).set(self.clock().timestamp())


async def _own_plans(session: AsyncSession, plans: Sequence[PlanPayload]) -> list[PlanState]:
    states = await feeds.own_plans(session, {plan.authority for plan in plans})
    return [PlanState.model_validate(state) for state in states]


def _yielding(event: PlanPayload, own: Sequence[PlanState]) -> PlanPayload:
    """Return the event, or a withdrawal if the authority's own plan is of the same purchase."""
    if not isinstance(event, PlanState) or (mine := own_plan_for(event, own)) is None:
        return event
    return PlanWithdrawn(
        plan_id=event.plan_id,
        revision=event.revision,
        authority=event.authority,
        reason=f"The authority's own plan {mine.plan_id} is of this purchase.",
    )


def _is_ours(release: Object, ocids: Collection[str]) -> bool:
    """Return whether a release is worth storing: a known authority buys, or has a plan of its process."""
    if as_text(release.get("ocid")) in ocids:
        return True
    try:
        return any(buyer.code for buyer in buyers_of(release))
    except RefusedError:
        return False


def _moment(release: Object) -> datetime | None:
    try:
        return datetime.fromisoformat(as_text(release.get("date"))).astimezone(LONDON)
    except ValueError:
        return None
