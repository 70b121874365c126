"""What must hold once everything has drained, recomputed from the input log alone.

The input log is what the plans topic holds, read back from the broker: what was really accepted, in the order of each
partition, whatever the feeder had to send twice. Nothing here asks a service what it thinks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final, cast

from events.cloudevents import EnvelopeError, decode
from events.dead_letters import DEAD_LETTER_PAYLOADS, DeadLetter, DeadLetterReason
from events.opportunities import OPPORTUNITY_PAYLOADS, OpportunityState
from events.plans import PLAN_PAYLOADS, PlanAwarded, PlanPayload, PlanState, PlanWithdrawn
from events.topics import DEAD_PLANS, OPPORTUNITIES, PLANS
from services.messaging.unreadable_records import UnreadableRecord
from tests.chaos.cluster import Arena
from tests.pipeline import assessment_of, records_of

INVARIANTS: Final = ("I1", "I2", "I3", "I4", "I5", "I7", "I8")
Place = tuple[str, int, int]
"""Topic, partition, offset."""


@dataclass
class Verdict:
    """What was found: violations by invariant, and counts worth knowing."""

    violations: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in INVARIANTS})
    counts: Counter[str] = field(default_factory=Counter)

    def demand(self, invariant: str, holds: bool, otherwise: str) -> None:
        """Notes a violation where it does not hold."""
        if not holds:
            self.violations[invariant].append(otherwise)

    @property
    def ok(self) -> bool:
        """Whether nothing was violated."""
        return not any(self.violations.values())


@dataclass
class Accepted:
    """What ought to have become of the input."""

    revisions: dict[tuple[str, int], PlanPayload] = field(default_factory=dict)
    refused: dict[Place, DeadLetterReason] = field(default_factory=dict)
    endings: set[Place] = field(default_factory=set)
    records: int = 0

    @property
    def latest(self) -> dict[str, PlanPayload]:
        """The newest revision of each plan."""
        found: dict[str, PlanPayload] = {}
        for (plan_id, revision), payload in self.revisions.items():
            if plan_id not in found or found[plan_id].revision < revision:
                found[plan_id] = payload
        return found


def fold(records: Iterable[Any]) -> Accepted:
    """The input log, folded: which revisions count, and which records are to be dead letters."""
    found = Accepted()
    for record in sorted(records, key=lambda record: (record.partition, record.offset)):
        found.records += 1
        place = (record.topic, record.partition, record.offset)
        if isinstance(record, UnreadableRecord):
            found.refused[place] = record.reason
            continue
        try:
            payload = cast(PlanPayload, decode(record.headers, record.value, PLAN_PAYLOADS).payload)
        except EnvelopeError as error:
            found.refused[place] = error.reason
            continue
        if isinstance(payload, PlanWithdrawn | PlanAwarded):
            found.endings.add(place)
        known = found.revisions.setdefault((payload.plan_id, payload.revision), payload)
        if (type(known), known) != (type(payload), payload):
            found.refused[place] = DeadLetterReason.REVISION_CONFLICT
    return found


def expected_pairs(latest: Iterable[PlanPayload]) -> dict[tuple[str, str], tuple[float, str, int, int]]:
    """Every opportunity there must be: all pairs of shared, open plans, each assessed, none retrieved."""
    states = [plan for plan in latest if isinstance(plan, PlanState) and plan.sharing != "private"]
    found = {}
    for a, b in combinations(sorted(states, key=lambda state: state.plan_id), 2):
        assessment = assessment_of(a, b)
        if assessment.is_opportunity:
            found[a.plan_id, b.plan_id] = (assessment.score, assessment.band.value, a.revision, b.revision)
    return found


def judge(arena: Arena, quiet_seconds: float = 3.0) -> Verdict:
    """Holds a drained arena against its input, once no topic has had anything new for so long."""
    verdict = Verdict()
    accepted = fold(records_of(arena.bootstrap, PLANS.name, quiet_seconds=quiet_seconds, isolation="read_committed"))
    verdict.counts["records"] = accepted.records
    _opportunities(verdict, arena, accepted)
    _inputs(verdict, arena, accepted, quiet_seconds)
    _topic(verdict, arena, quiet_seconds)
    _intents(verdict, arena)
    judge_mails(verdict, arena)
    return verdict


def _opportunities(verdict: Verdict, arena: Arena, accepted: Accepted) -> None:
    wanted = expected_pairs(accepted.latest.values())
    rows = arena.sql(
        "SELECT plan_a, plan_b, score, band, revision_a, revision_b FROM opportunities WHERE status = 'active'"
    )
    found = {(a, b): (score, band, ra, rb) for a, b, score, band, ra, rb in rows}
    verdict.counts["opportunities"] = len(wanted)
    for pair in sorted(wanted.keys() | found.keys()):
        verdict.demand(
            "I1", wanted.get(pair) == found.get(pair), f"{pair}: is {found.get(pair)}, ought to be {wanted.get(pair)}"
        )
    strangers = arena.sql(
        "SELECT opportunity_id FROM opportunities WHERE authority_a <> split_part(plan_a, ':', 1) "
        "OR authority_b <> split_part(plan_b, ':', 1) OR authority_a = authority_b"
    )
    verdict.demand("I8", not strangers, f"opportunities of the wrong authorities: {strangers[:5]}")


def _inputs(verdict: Verdict, arena: Arena, accepted: Accepted, quiet_seconds: float) -> None:
    log = {(p, r): c for p, r, c in arena.sql("SELECT plan_id, revision, payload FROM plan_log")}
    missing = sorted(accepted.revisions.keys() - log.keys())
    verdict.demand("I3", not missing, f"accepted and not in the plan log: {missing[:5]} ({len(missing)})")
    invented = sorted(log.keys() - accepted.revisions.keys())
    verdict.demand("I3", not invented, f"in the plan log and never accepted: {invented[:5]} ({len(invented)})")
    for key in accepted.revisions.keys() & log.keys():
        same = accepted.revisions[key].model_dump(mode="json") == log[key]
        verdict.demand("I3", same, f"{key}: the log holds other content than was accepted first")
    standing = dict(arena.sql("SELECT plan_id, revision FROM plans"))
    wanted = {plan_id: payload.revision for plan_id, payload in accepted.latest.items()}
    verdict.demand(
        "I4", standing == wanted, f"plans stand at: {sorted(set(standing.items()) ^ set(wanted.items()))[:6]}"
    )
    letters = _dead_letters(arena, quiet_seconds)
    for place, reason in accepted.refused.items():
        verdict.demand("I3", reason in letters.get(place, set()), f"{place}: refused as {reason}, no such dead letter")
    # Whether an ending came before the revision that supersedes it is chance, across partitions and restarts.
    late = {place for place in accepted.endings if letters.get(place) == {DeadLetterReason.SUPERSEDED_WITHDRAWAL}}
    wrong = sorted(letters.keys() - accepted.refused.keys() - late)
    verdict.demand("I3", not wrong, f"dead letters of good records: {[(p, letters[p]) for p in wrong[:5]]}")
    verdict.counts["refused"] = len(accepted.refused)
    strangers = arena.sql("SELECT plan_id FROM plans WHERE authority <> split_part(plan_id, ':', 1)")
    verdict.demand("I8", not strangers, f"plans of another authority: {strangers[:5]}")


def _dead_letters(arena: Arena, quiet_seconds: float) -> dict[Place, set[str]]:
    found: dict[Place, set[str]] = defaultdict(set)
    for record in records_of(arena.bootstrap, DEAD_PLANS.name, quiet_seconds=quiet_seconds):
        letter = cast(DeadLetter, decode(record.headers, record.value, DEAD_LETTER_PAYLOADS).payload)
        found[letter.origin.topic, letter.origin.partition, letter.origin.offset].add(letter.reason)
    return found


def _topic(verdict: Verdict, arena: Arena, quiet_seconds: float) -> None:
    """Holds the topic against the database."""
    told: dict[str, list[OpportunityState]] = defaultdict(list)
    records = records_of(arena.bootstrap, OPPORTUNITIES.name, quiet_seconds=quiet_seconds)
    for record in sorted(records, key=lambda record: (record.partition, record.offset)):
        event = decode(record.headers, record.value, OPPORTUNITY_PAYLOADS)
        state = cast(OpportunityState, event.payload)
        told[state.opportunity_id].append(state)
    verdict.counts["opportunity_events"] = sum(len(states) for states in told.values())
    current = dict(arena.sql("SELECT opportunity_id, payload FROM opportunities"))
    lost = sorted(told.keys() ^ current.keys())
    verdict.demand("I2", not lost, f"only in one of topic and database: {lost[:5]} ({len(lost)})")
    for key in told.keys() & current.keys():
        newest = max(told[key], key=lambda state: state.revision)
        verdict.demand("I2", newest.model_dump(mode="json") == current[key], f"{key}: folded, the topic differs")
        verdict.demand("I4", told[key][-1].revision == newest.revision, f"{key}: its last record is not its newest")
        _history(verdict, key, told[key])
    ((waiting,),) = arena.sql("SELECT count(*) FROM outbox WHERE published_at IS NULL")
    ((unmatched,),) = arena.sql("SELECT count(*) FROM plans WHERE assessed_revision <> revision OR quarantined")
    verdict.demand("I7", waiting == 0 and unmatched == 0, f"{waiting} messages wait, {unmatched} plans are unassessed")


def _history(verdict: Verdict, key: str, states: Sequence[OpportunityState]) -> None:
    once: dict[int, OpportunityState] = {}
    for state in states:
        same = once.setdefault(state.revision, state) == state
        verdict.demand("I4", same, f"{key}: revision {state.revision} was told in two ways")
    numbers = sorted(once)
    verdict.demand("I2", numbers == list(range(1, len(numbers) + 1)), f"{key}: revisions {numbers}, some are missing")
    material = [once[number].material_revision for number in numbers]
    verdict.demand("I4", material == sorted(material), f"{key}: the material revision went back: {material}")


def _intents(verdict: Verdict, arena: Arena) -> None:
    doubles = arena.sql(
        "SELECT opportunity_id, material_revision, authority, channel, occasion, count(*) FROM notification_intents "
        "GROUP BY 1, 2, 3, 4, 5 HAVING count(*) > 1"
    )
    verdict.demand("I5", not doubles, f"more than one intent: {doubles[:5]}")
    strangers = arena.sql(
        "SELECT i.id FROM notification_intents i JOIN opportunities o USING (opportunity_id) "
        "WHERE i.authority NOT IN (o.authority_a, o.authority_b) OR i.partner NOT IN (o.authority_a, o.authority_b)"
    )
    verdict.demand("I8", not strangers, f"intents for strangers: {strangers[:5]}")
    untold = arena.sql(
        "SELECT o.opportunity_id, a.authority FROM opportunities o "
        "CROSS JOIN LATERAL (VALUES (authority_a), (authority_b)) AS a(authority) "
        "WHERE o.status = 'active' AND o.band <> 'feed' AND NOT EXISTS (SELECT 1 FROM notification_intents i "
        "WHERE i.opportunity_id = o.opportunity_id AND i.authority = a.authority "
        "AND i.material_revision = o.material_revision AND i.state <> 'cancelled')"
    )
    verdict.demand("I5", not untold, f"nobody was to be told of: {untold[:5]} ({len(untold)})")
    uncorrected = arena.sql(
        "SELECT t.opportunity_id, t.authority FROM (SELECT DISTINCT ON (opportunity_id, authority) * FROM "
        "notification_intents WHERE state IN ('sent', 'ambiguous') OR possibly_delivered "
        "ORDER BY opportunity_id, authority, material_revision DESC) t JOIN opportunities o USING (opportunity_id) "
        "WHERE o.status = 'withdrawn' AND t.change <> 'withdrawn' AND NOT EXISTS (SELECT 1 FROM notification_intents i "
        "WHERE i.opportunity_id = t.opportunity_id AND i.authority = t.authority AND i.state = 'failed' "
        "AND i.material_revision = o.material_revision)"
    )
    # Nobody is told of its own act: no correction is due where an event of the authority's own plan ended it.
    actors = dict(
        arena.sql(
            "SELECT opportunity_id, split_part(plan_id, ':', 1) FROM opportunities o "
            "JOIN plan_log l ON l.event_id = o.causation_id"
        )
    )
    uncorrected = [one for one in uncorrected if actors.get(one[0]) != one[1]]
    verdict.demand("I5", not uncorrected, f"told and never corrected: {uncorrected[:5]} ({len(uncorrected)})")
    ((late,),) = arena.sql("SELECT count(*) FROM notification_intents WHERE state IN ('pending', 'queued', 'sending')")
    verdict.demand("I7", late == 0, f"{late} intents are not decided")
    verdict.counts["intents"] = arena.sql("SELECT count(*) FROM notification_intents")[0][0]


def judge_mails(verdict: Verdict, arena: Arena) -> None:
    """Holds the emails that came against those that count as sent."""
    received: dict[str, list[str]] = defaultdict(list)
    for mail in arena.mails.mails():
        received[str(mail["Message-ID"])].append(str(mail["X-Envelope-To"]))
    known = {
        identity: (state, failure, unknown_outcomes, f"buyers@{authority.lower()}.example")
        for identity, state, failure, unknown_outcomes, authority in arena.sql(
            "SELECT message_id, state, failure, unknown_outcomes, authority FROM notification_mails"
        )
    }
    for identity, recipients in received.items():
        state, failure, unknown_outcomes, mailbox = known.get(identity, ("unknown", None, 0, ""))
        verdict.demand(
            "I5", state == "sent" or (state, failure) == ("failed", "ambiguous"), f"{identity} came: {state}"
        )
        verdict.demand("I8", set(recipients) == {mailbox}, f"{identity} went to {set(recipients)}, not {mailbox}")
        again = len(recipients) - 1
        verdict.counts["duplicates_inside_gap"] += again if unknown_outcomes else 0
        verdict.counts["duplicates_outside_gap"] += 0 if unknown_outcomes else again
        verdict.demand(
            "I5", again <= min(1, unknown_outcomes), f"{identity} came {again + 1} times, {unknown_outcomes} unknown"
        )
    for identity, (state, *_) in known.items():
        verdict.demand("I5", state != "sent" or identity in received, f"{identity} counts as sent and never came")
    twice = arena.sql(
        "SELECT o->>'opportunity_id', o->>'material_revision', authority, count(*) FROM (SELECT "
        "convert_from(value, 'UTF8')::jsonb AS v, convert_from(value, 'UTF8')::jsonb->>'authority' AS authority "
        "FROM outbox WHERE topic = 'collaboration.notifications.v1') e, jsonb_array_elements(v->'opportunities') o "
        "GROUP BY 1, 2, 3 HAVING count(*) > 1"
    )
    verdict.demand("I5", not twice, f"told twice in two mails: {twice[:5]}")
    verdict.counts["mails_received"] = sum(len(recipients) for recipients in received.values())
    verdict.counts["mails_ambiguous"] = sum(1 for _, _, unknown_outcomes, _ in known.values() if unknown_outcomes)
