"""Converts releases of contracting processes to plan events with each plan's current state."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from events.fields import Origin
from events.plans import PlanAwarded, PlanPayload, PlanState, PlanUpdated
from services.collector.renewals import renewal_plan
from services.collector.sources import Source
from services.ingest.buyers import Learned, learn_identifiers
from services.ingest.entries import AcceptedEntry, Options, RejectedEntry
from services.ingest.loose_json import Object, as_text
from services.ingest.ocds.process import ReleaseState, release_states
from services.ingest.ocds.release import read_state
from services.store.feeds import FeedPlan


@dataclass(frozen=True, slots=True)
class ProcessPlans:
    """The result for a process: its events, or why there is none. `incomplete`: an earlier release is missing."""

    ocid: str
    events: tuple[PlanPayload, ...]
    rejections: tuple[str, ...] = ()
    incomplete: bool = False


def read_processes(source: Source, releases: Iterable[Object], today: date) -> list[ProcessPlans]:
    """Return the state of each process after its last release."""
    every = list(releases)
    learned = learn_identifiers(every)
    last: dict[str, ReleaseState] = {}
    for state in release_states([("", release) for release in every]):
        if isinstance(state, ReleaseState):
            last[state.ocid] = state
    return [_read(source, state, learned, today) for state in last.values()]


def _read(source: Source, state: ReleaseState, learned: Learned, today: date) -> ProcessPlans:
    reads = read_state(source.name, state, Options(), learned, only_stranger=False)
    notice = source.notice_url(as_text(state.release.get("id")))
    events: list[PlanPayload] = []
    for read in reads:
        if isinstance(read, AcceptedEntry):
            events.append(_marked(read.payload, Origin.NOTICE, notice))
            if isinstance(read.payload, PlanAwarded) and (
                renewal := renewal_plan(state, read.payload.authority, today)
            ):
                events.append(_marked(renewal, Origin.DERIVED, notice))
    rejections = tuple(f"{read.field}: {read.reason}" for read in reads if isinstance(read, RejectedEntry))
    return ProcessPlans(state.ocid, tuple(events), rejections, incomplete=state.partial)


def _marked(payload: PlanPayload, origin: Origin, notice: str) -> PlanPayload:
    """Return the event with a notice's revision; for a plan, also with its origin and the notice's address."""
    # In seconds. A revision of the authority for the same notice is in milliseconds, and so always higher.
    changes: dict[str, Any] = {"revision": max(1, payload.revision // 1000)}
    if isinstance(payload, PlanState):
        changes |= {"origin": origin, "notice": notice if len(notice) <= 298 else None}
    return payload.model_copy(update=changes)


def to_publish(events: Sequence[PlanPayload], known: Mapping[str, FeedPlan]) -> list[PlanPayload]:
    """Return the events with new content, with revisions above the published ones. A plan that was never published
    needs no end."""
    fresh: list[PlanPayload] = []
    for event in events:
        before = known.get(event.plan_id)
        if not isinstance(event, PlanState) and (before is None or not before.active):
            continue
        if before and before.content_hash == content_hash(event):
            continue
        if before and event.revision <= before.revision:
            event = event.model_copy(update={"revision": before.revision + 1})
        if before and isinstance(event, PlanState):
            event = PlanUpdated.model_validate(event.model_dump())
        fresh.append(event)
    return fresh


def content_hash(event: PlanPayload) -> str:
    """Hash an event's content, without its revision and without the difference between published and updated."""
    kind = "state" if isinstance(event, PlanState) else event.type
    return hashlib.sha256(f"{kind}\n{event.model_dump_json(exclude={'revision'})}".encode()).hexdigest()


def to_row(event: PlanPayload, ocid: str) -> FeedPlan:
    """Build the row of a published event."""
    return FeedPlan(
        plan_id=event.plan_id,
        authority=event.authority,
        ocid=ocid,
        revision=event.revision,
        content_hash=content_hash(event),
        active=isinstance(event, PlanState),
    )
