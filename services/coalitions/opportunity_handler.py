"""Opportunity events have the coalitions around their plans looked at again. Consuming twice changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from events.cloudevents import EnvelopeError, decode
from events.opportunities import OPPORTUNITY_PAYLOADS, OpportunityState
from services.coalitions.writing import Moment, lock, regroup
from services.messaging.kafka import Record
from services.platform import logs, metrics
from services.platform.clock import today
from services.platform.settings import Settings
from services.store.database import Sessions, transaction

MAX_REMEMBERED: Final = 200_000
"""Opportunities whose revisions are remembered, about 40 MB; beyond, all are forgotten and read again."""

log: Final = logs.get(__name__)


@dataclass(slots=True)
class SeenOpportunities:
    """The revision of each opportunity that groups were last made from, on one day.

    The database is ahead of the topic. Where many plans are alike, each event reads thousands of pairs whose own events
    are still to come; those bring nothing new then, and reading everything again for each would never catch up.
    """

    day: date | None = None
    revisions: dict[str, int] = field(default_factory=dict)

    def pass_day(self, day: date) -> None:
        """Forgets everything on a new day: what can still be joined has changed."""
        if day != self.day:
            self.day, self.revisions = day, {}

    def is_news(self, event: OpportunityState) -> bool:
        """Whether the groups around this event's plans have yet to be looked at for it."""
        return event.revision > self.revisions.get(event.opportunity_id, 0)

    def remember(self, revisions: Mapping[str, int]) -> None:
        """Keeps what was read; only once the transaction that read it has committed."""
        if len(self.revisions) + len(revisions) > MAX_REMEMBERED:
            self.revisions.clear()
        self.revisions.update(revisions)


@dataclass(frozen=True, slots=True)
class OpportunityHandler:
    """What the handler works with, made once by the process's composition root."""

    sessions: Sessions
    settings: Settings
    seen: SeenOpportunities = field(default_factory=SeenOpportunities)

    async def handle(self, records: Sequence[Record]) -> None:
        """Handles a batch: the database has the opportunities, an event only says where to look."""
        with metrics.HANDLING.labels(process="coalitions").time():
            day = today(self.settings.as_of)
            self.seen.pass_day(day)
            plan_ids: set[str] = set()
            cause = None
            for record in records:
                event_plans, event_cause = self._read(record)
                plan_ids |= event_plans
                cause = event_cause or cause
            if plan_ids:
                # One event behind many changes is named; of several, the last stands for all.
                await self._regroup(plan_ids, Moment(day, cause))
        metrics.EVENTS_IN.labels(family="opportunities").inc(len(records))

    async def _regroup(self, plan_ids: set[str], moment: Moment) -> None:
        async with transaction(self.sessions) as session:
            await lock(session)
            revisions = await regroup(session, plan_ids, moment)
        self.seen.remember(revisions)

    def _read(self, record: Record) -> tuple[set[str], str | None]:
        """The plans of an event, and the plan event behind it; none of a tombstone or of what brings no news."""
        if record.value is None:
            return set(), None
        try:
            event = decode(record.headers, record.value, OPPORTUNITY_PAYLOADS)
        except EnvelopeError as error:
            # The notifier reads the same topic, and keeps it as a dead letter.
            log.warning("no opportunity event", error=str(error), partition=record.partition, offset=record.offset)
            return set(), None
        assert isinstance(event.payload, OpportunityState)
        if not self.seen.is_news(event.payload):
            return set(), None
        return {side.plan_id for side in event.payload.plans if side.plan_id is not None}, event.causation_id
