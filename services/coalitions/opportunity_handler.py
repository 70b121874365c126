"""Reviews the coalitions around the plans of opportunity events. Consuming an event twice changes nothing."""

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
"""The most opportunities whose revisions are remembered (about 40 MB). A full memory starts again from empty."""

log: Final = logs.get(__name__)


@dataclass(slots=True)
class SeenOpportunities:
    """The revision of each opportunity that groups were last computed from, on one day.

    The database is ahead of the topic. Among many similar plans, each event loads thousands of pairs whose own events
    are still to come. Those events then bring nothing new; loading everything again for each would never catch up.
    """

    day: date | None = None
    revisions: dict[str, int] = field(default_factory=dict)

    def pass_day(self, day: date) -> None:
        """Empty the memory on a new day, because the last days to agree move closer."""
        if day != self.day:
            self.day, self.revisions = day, {}

    def is_news(self, event: OpportunityState) -> bool:
        """Whether the groups around this event's plans have not been computed from this revision yet."""
        return event.revision > self.revisions.get(event.opportunity_id, 0)

    def remember(self, revisions: Mapping[str, int]) -> None:
        """Remember loaded revisions. Call it only after the transaction that loaded them has committed."""
        if len(self.revisions) + len(revisions) > MAX_REMEMBERED:
            self.revisions.clear()
        self.revisions.update(revisions)


@dataclass(frozen=True, slots=True)
class OpportunityHandler:
    """The handler's dependencies. The process's composition root creates one instance."""

    sessions: Sessions
    settings: Settings
    seen: SeenOpportunities = field(default_factory=SeenOpportunities)

    async def handle(self, records: Sequence[Record]) -> None:
        """Handle a batch. The database holds the opportunities; an event only names the plans to review."""
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
                # The change names one event as its cause: the last of the batch.
                await self._regroup(plan_ids, Moment(day, cause))
        metrics.EVENTS_IN.labels(family="opportunities").inc(len(records))

    async def _regroup(self, plan_ids: set[str], moment: Moment) -> None:
        async with transaction(self.sessions) as session:
            await lock(session)
            revisions = await regroup(session, plan_ids, moment)
        self.seen.remember(revisions)

    def _read(self, record: Record) -> tuple[set[str], str | None]:
        """The plans of an event, and the plan event behind it; none for a tombstone or a known revision."""
        if record.value is None:
            return set(), None
        try:
            event = decode(record.headers, record.value, OPPORTUNITY_PAYLOADS)
        except EnvelopeError as error:
            # The notifier reads the same topic, and dead-letters this record.
            log.warning("not an opportunity event", error=str(error), partition=record.partition, offset=record.offset)
            return set(), None
        assert isinstance(event.payload, OpportunityState)
        if not self.seen.is_news(event.payload):
            return set(), None
        return {side.plan_id for side in event.payload.plans if side.plan_id is not None}, event.causation_id
