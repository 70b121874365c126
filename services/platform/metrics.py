"""All metrics, each declared and described once, with the processes that export it and its known label values.

A process exports only its own metrics: a relay that exported 0 for a matcher's gauge would hide the matchers' values.
Counters count from the start of the process. Each known series starts at 0, because Prometheus' `increase()` sees no
step in a series that starts at 1. A gauge measured in the database is NaN until the first measurement.
"""

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import product
from typing import Any, Final, TypeAlias, TypeVar

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from events.dead_letters import SPOOFING as SPOOFING_REASONS
from events.dead_letters import DeadLetterReason
from events.topics import (
    BENCHMARKS,
    CHECKPOINTS,
    CONTRACTS,
    DEAD_CONTRACTS,
    DEAD_PLANS,
    DEAD_RESPONSES,
    NOTIFICATIONS,
    OPPORTUNITIES,
    PAGE_PLANS,
    PAGE_RESPONSES,
    PLANS,
    RESPONSES,
)
from events.topics import COALITIONS as COALITIONS_TOPIC

Known: TypeAlias = Mapping[str, Iterable[str]]
"""Each label's known values. Every combination is exported from the start."""
Metric = TypeVar("Metric", Counter, Gauge, Histogram)


class Process(StrEnum):
    """The long-running processes, by the name of their command."""

    MATCHER = "matcher"
    COALITIONS = "coalitions"
    RELAY = "relay"
    NOTIFIER = "notifier"
    COLLECTOR = "collector"
    WEB = "web"


MATCHER: Final[dict[Process, Known]] = {Process.MATCHER: {}}
RELAY: Final[dict[Process, Known]] = {Process.RELAY: {}}
NOTIFIER: Final[dict[Process, Known]] = {Process.NOTIFIER: {}}
COLLECTOR: Final[dict[Process, Known]] = {
    Process.COLLECTOR: {"source": ["find-a-tender", "contracts-finder"]},
}
COALITIONS_PROCESS: Final[dict[Process, Known]] = {Process.COALITIONS: {}}
CONSUMERS: Final = MATCHER | COALITIONS_PROCESS | NOTIFIER
EVERY: Final = CONSUMERS | RELAY

OWNERS: Final[dict[Any, Mapping[Process, Known]]] = {}
"""The processes that own each metric, with the known values of its labels."""
MEASURED: Final[set[Any]] = set()
"""The gauges whose value is unknown until a process has measured it."""


def _owned(metric: Metric, owners: Mapping[Process, Known]) -> Metric:
    """Declare a metric. Without known label values, its series start with the first observation."""
    OWNERS[metric] = owners
    return metric


def _measured_gauge(gauge: Gauge, owners: Mapping[Process, Known]) -> Gauge:
    """Declare a gauge whose value is unknown until the process has measured it."""
    MEASURED.add(gauge)
    return _owned(gauge, owners)


def export(process: Process, registry: CollectorRegistry = REGISTRY) -> None:
    """Export the process's metrics with every known series. Call it once, at the start."""
    for metric, owners in OWNERS.items():
        if process not in owners:
            continue
        registry.register(metric)
        for series in _series(metric, owners[process]):
            if metric in MEASURED:
                series.set(math.nan)


def _series(metric: Any, known: Known) -> list[Any]:
    """Return the known series of a metric. Asking for a series creates it."""
    if not known:
        return [metric]
    return [metric.labels(**dict(zip(known, values, strict=True))) for values in product(*known.values())]


_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_PURPOSES: Final = ("immediate", "digest", "correction")
_MAIL_PURPOSES: Final = (*_PURPOSES, "coalition", "benchmark", "confirmation")

EVENTS_IN: Final = _owned(
    Counter("jointly_events_in_total", "Events read from Kafka.", ["family"], registry=None),
    {
        Process.MATCHER: {"family": ["plans"]},
        Process.COALITIONS: {"family": ["opportunities", "responses", "contracts"]},
        Process.NOTIFIER: {"family": ["opportunities", "coalitions"]},
    },
)
EVENTS_OUT: Final = _owned(
    Counter("jointly_events_out_total", "Events published by the relay.", ["topic"], registry=None),
    {
        Process.RELAY: {
            "topic": [
                OPPORTUNITIES.name,
                COALITIONS_TOPIC.name,
                PAGE_PLANS.name,
                PAGE_RESPONSES.name,
                NOTIFICATIONS.name,
                CHECKPOINTS.name,
                BENCHMARKS.name,
                DEAD_PLANS.name,
                DEAD_RESPONSES.name,
                DEAD_CONTRACTS.name,
            ]
        }
    },
)
FEED_RELEASES: Final = _owned(
    Counter("jointly_feed_releases_total", "New releases collected from public feeds.", ["source"], registry=None),
    COLLECTOR,
)
FEED_PLANS: Final = _owned(
    Counter("jointly_feed_plans_total", "Plan events published from public notices.", ["source"], registry=None),
    COLLECTOR,
)
FEED_REFUSALS: Final = _owned(
    Counter(
        "jointly_feed_refusals_total", 'Requests that a feed refused with "come back later".', ["source"], registry=None
    ),
    COLLECTOR,
)
FEED_FAULTS: Final = _owned(
    Counter(
        "jointly_feed_faults_total",
        "Rounds of collecting that ended early because of an unusable response.",
        ["source"],
        registry=None,
    ),
    COLLECTOR,
)
FEED_MISSING: Final = _measured_gauge(
    Gauge(
        "jointly_feed_missing_notices",
        "Notice numbers missing between the first and the last of the last closed day.",
        ["source"],
        registry=None,
    ),
    COLLECTOR,
)
FEED_COLLECTED: Final = _measured_gauge(
    Gauge(
        "jointly_feed_collected_timestamp_seconds",
        "Time at which a feed was last collected completely, or the process started, in seconds since 1970.",
        ["source"],
        registry=None,
    ),
    COLLECTOR,
)
PLAN_OUTCOMES: Final = _owned(
    Counter(
        "jointly_plan_events_total",
        "Plan events by outcome: applied, superseded, duplicate, outranked.",
        ["outcome"],
        registry=None,
    ),
    {Process.MATCHER: {"outcome": ["applied", "superseded", "duplicate", "outranked"]}},
)
DEAD_LETTERS: Final = _owned(
    Counter("jointly_dead_letters_total", "Events refused, by reason code.", ["family", "reason"], registry=None),
    {
        Process.MATCHER: {"family": ["plans"], "reason": list(DeadLetterReason)},
        Process.COALITIONS: {"family": ["opportunities", "responses", "contracts"], "reason": list(DeadLetterReason)},
        Process.NOTIFIER: {"family": ["opportunities", "coalitions"], "reason": list(DeadLetterReason)},
    },
)
SPOOFING: Final = _owned(
    Counter(
        "jointly_spoofing_attempts_total",
        "Events refused because their sender may not speak for the authority they name, by reason code.",
        ["reason"],
        registry=None,
    ),
    {process: {"reason": sorted(SPOOFING_REASONS)} for process in (Process.MATCHER, Process.COALITIONS)},
)
HANDLING: Final = _owned(
    Histogram(
        "jointly_handling_seconds",
        "Time to handle one batch of events.",
        ["process"],
        buckets=_SECONDS,
        registry=None,
    ),
    {process: {"process": [process]} for process in CONSUMERS},
)
TRANSIENT_ERRORS: Final = _owned(
    Counter(
        "jointly_transient_errors_total", "Transient errors that a process retried, by kind.", ["kind"], registry=None
    ),
    EVERY,
)
BATCHES_REWOUND: Final = _owned(
    Counter(
        "jointly_batches_rewound_total",
        "Batches rewound because a transient error outlasted the retries.",
        registry=None,
    ),
    CONSUMERS,
)
DEPENDENCY_UP: Final = _measured_gauge(
    Gauge(
        "jointly_dependency_up",
        "Whether a dependency of the process answers (1) or not (0): kafka, postgresql.",
        ["dependency"],
        registry=None,
    ),
    {process: {"dependency": ["kafka", "postgresql"]} for process in (*EVERY, Process.COLLECTOR)}
    | {Process.WEB: {"dependency": ["postgresql"]}},
)

EVENT_TO_OPPORTUNITY: Final = _owned(
    Histogram(
        "jointly_event_to_opportunity_seconds",
        "Time from a plan event's publication to the commit of its opportunities.",
        buckets=_SECONDS,
        registry=None,
    ),
    MATCHER,
)
EMBEDDINGS: Final = _owned(
    Counter("jointly_embeddings_total", "Texts embedded; texts with a stored embedding do not count.", registry=None),
    MATCHER,
)
CANDIDATES: Final = _owned(
    Counter("jointly_candidates_total", "Candidates that the plan index returned for assessment.", registry=None),
    MATCHER,
)
PAIRS_WRITTEN: Final = _owned(
    Counter(
        "jointly_pairs_written_total",
        "Opportunities written, by kind of change.",
        ["change"],
        registry=None,
    ),
    {Process.MATCHER: {"change": ["identified", "updated", "withdrawn"]}},
)
PAIRS_SKIPPED: Final = _owned(
    Counter(
        "jointly_pairs_skipped_total",
        "Pairs left to the partner's handler because the partner has a newer revision.",
        registry=None,
    ),
    MATCHER,
)
PLANS_ABANDONED: Final = _owned(
    Counter(
        "jointly_plans_abandoned_total",
        "Assessments discarded because the plan has a newer revision.",
        registry=None,
    ),
    MATCHER,
)
ASSESSMENTS_FAILED: Final = _owned(
    Counter("jointly_assessments_failed_total", "Assessments that raised an error.", registry=None), MATCHER
)
SWEEPER_PLANS: Final = _owned(
    Counter("jointly_sweeper_plans_total", "Plans that the sweeper assessed, by reason.", ["why"], registry=None),
    {Process.MATCHER: {"why": ["unfinished", "not indexed", "due"]}},
)
PENDING_PLANS: Final = _measured_gauge(
    Gauge("jointly_pending_plans", "Plans whose newest revision has not been assessed.", registry=None), MATCHER
)
PLAN_OPPORTUNITIES_MAX: Final = _measured_gauge(
    Gauge(
        "jointly_plan_opportunities_max",
        "Largest number of active opportunities of one plan; at most ten minutes old.",
        registry=None,
    ),
    MATCHER,
)
MATCH_ONLY_PROBES: Final = _measured_gauge(
    Gauge(
        "jointly_match_only_probes",
        "Largest number of match_only partners that one authority met in 30 days with plans that "
        "it changed or withdrew within a week.",
        registry=None,
    ),
    MATCHER,
)
PLAN_PARTNER_OPPORTUNITIES_MAX: Final = _measured_gauge(
    Gauge(
        "jointly_plan_partner_opportunities_max",
        "Largest number of active opportunities between one plan and plans of the same other authority.",
        registry=None,
    ),
    MATCHER,
)
PURGE_FAILED_STEPS: Final = _measured_gauge(
    Gauge("jointly_purge_failed_steps", "Steps of the last daily purge that failed.", registry=None), MATCHER
)
ACTIVE_PLANS: Final = _owned(
    Gauge("jointly_active_plans", "Plans that this matcher holds as candidates.", registry=None), MATCHER
)
OLDEST_UNHANDLED: Final = _owned(
    Gauge(
        "jointly_oldest_unhandled_seconds",
        "Waiting time of the oldest unhandled record: the longest over the assigned partitions of each topic, "
        "or the time without a membership of the group.",
        ["topic"],
        registry=None,
    ),
    {
        Process.MATCHER: {"topic": [PLANS.name]},
        Process.COALITIONS: {"topic": [OPPORTUNITIES.name, RESPONSES.name, CONTRACTS.name]},
        Process.NOTIFIER: {"topic": [OPPORTUNITIES.name, COALITIONS_TOPIC.name]},
    },
)
LAG: Final = _owned(
    Gauge("jointly_consumer_lag_records", "Unhandled records on the assigned partitions.", ["process"], registry=None),
    {process: {"process": [process]} for process in CONSUMERS}
    | {
        Process.COALITIONS: {"process": ["coalitions", "coalitions-responses", "coalitions-contracts"]},
        Process.NOTIFIER: {"process": ["notifier", "notifier-coalitions"]},
    },
)

COALITION_STATUSES: Final = ("suggested", "inviting", "formed", "frozen", "awarded", "dissolved", "lapsed")
RESPONSE_KINDS: Final = (
    "interested",
    "other-dates",
    "not-the-same",
    "not-this-time",
    "later",
    "invited",
    "accept",
    "decline",
    "join",
    "leave",
    "commit",
    "lead",
    "dates",
    "introduced",
    "undone",
    "decided",
    "route",
    "convened",
    "delegated",
    "document",
    "enquiry",
)
COALITIONS_WRITTEN: Final = _owned(
    Counter("jointly_coalitions_written_total", "Coalitions written, by new status.", ["status"], registry=None),
    {Process.COALITIONS: {"status": COALITION_STATUSES}},
)
COALITIONS: Final = _measured_gauge(
    Gauge("jointly_coalitions", "Coalitions by status.", ["status"], registry=None),
    {Process.COALITIONS: {"status": COALITION_STATUSES}},
)
RESPONSES_HANDLED: Final = _owned(
    Counter(
        "jointly_responses_total",
        "Responses of authorities, by kind and outcome: recorded, refused.",
        ["kind", "outcome"],
        registry=None,
    ),
    {Process.COALITIONS: {"kind": RESPONSE_KINDS, "outcome": ["recorded", "refused"]}},
)
RESPONSES_RECORDED: Final = _measured_gauge(
    Gauge(
        "jointly_responses_recorded", "Recorded responses by kind, without those taken back.", ["kind"], registry=None
    ),
    {Process.COALITIONS: {"kind": RESPONSE_KINDS}},
)
COALITIONS_SWEPT: Final = _measured_gauge(
    Gauge(
        "jointly_coalitions_swept_timestamp_seconds",
        "Time at which the sweep of coalitions last ended without an error, or the process started, in seconds "
        "since 1970.",
        registry=None,
    ),
    COALITIONS_PROCESS,
)
PROGRAMME: Final = _owned(
    Gauge(
        "jointly_programme",
        "Measures of the programme report as of today, by section and measure; measured once an hour.",
        ["section", "measure"],
        registry=None,
    ),
    COALITIONS_PROCESS,
)

OUTBOX_WAITING: Final = _measured_gauge(
    Gauge("jointly_outbox_waiting", "Unpublished messages in the outbox.", registry=None), RELAY
)
OUTBOX_AGE: Final = _measured_gauge(
    Gauge("jointly_outbox_age_seconds", "Age of the oldest unpublished message in the outbox.", registry=None), RELAY
)
AUDIT_UNSIGNED: Final = _measured_gauge(
    Gauge(
        "jointly_audit_unsigned_seconds",
        "Age of the oldest entry of the audit log that no signed checkpoint covers.",
        registry=None,
    ),
    RELAY,
)
RELAY_SHARDS_HELD: Final = _owned(
    Gauge("jointly_relay_shards_held", "Outbox shards that this relay holds.", registry=None), RELAY
)
REPUBLISHED: Final = _owned(
    Counter(
        "jointly_relay_republished_total",
        "Messages published again after this relay took over a shard from another.",
        registry=None,
    ),
    RELAY,
)

INTENTS: Final = _owned(
    Counter(
        "jointly_intents_total",
        "Notification intents created, by purpose and change.",
        ["purpose", "change"],
        registry=None,
    ),
    {
        Process.NOTIFIER: {
            "purpose": _PURPOSES,
            "change": ["new", "again", "stronger", "weaker", "moved", "withdrawn", "asked", "introduced"],
        }
    },
)
INTENTS_CANCELLED: Final = _owned(
    Counter(
        "jointly_intents_cancelled_total",
        "Notification intents cancelled just before sending, by reason.",
        ["reason"],
        registry=None,
    ),
    {Process.NOTIFIER: {"reason": ["superseded", "muted", "never-told", "not-wanted", "dissolved", "answered"]}},
)
INTENTS_CAPPED: Final = _owned(
    Counter(
        "jointly_intents_capped_total",
        "Things told later than they were due, by the cap they were over: plan, authority, reach, near-miss.",
        ["cap"],
        registry=None,
    ),
    {Process.NOTIFIER: {"cap": ["plan", "authority", "reach", "near-miss"]}},
)
NOTIFICATIONS_WITHHELD: Final = _measured_gauge(
    Gauge(
        "jointly_notifications_withheld",
        "Notification intents withheld because the authority has no mailbox or has paused, or the partner is unknown.",
        ["why"],
        registry=None,
    ),
    {Process.NOTIFIER: {"why": ["no-mailbox", "paused", "unknown-partner"]}},
)
EMAILS: Final = _owned(
    Counter(
        "jointly_emails_total",
        "Attempts to send an email, by purpose and outcome: sent, temporary, ambiguous, cancelled, failed-<failure>.",
        ["purpose", "outcome"],
        registry=None,
    ),
    {
        Process.NOTIFIER: {
            "purpose": _MAIL_PURPOSES,
            "outcome": [
                *("sent", "temporary", "ambiguous", "cancelled"),
                *("failed-permanent", "failed-temporary", "failed-ambiguous"),
            ],
        }
    },
)
EMAILS_WAITING: Final = _measured_gauge(
    Gauge("jointly_emails_waiting", "Emails neither sent nor failed yet, by state.", ["state"], registry=None),
    {Process.NOTIFIER: {"state": ["queued", "claimed", "sending", "ambiguous"]}},
)
SENDING: Final = _owned(
    Histogram(
        "jointly_emails_sending_seconds",
        "Time that the mail server takes to accept one email.",
        buckets=_SECONDS,
        registry=None,
    ),
    NOTIFIER,
)
OPPORTUNITY_TO_EMAIL: Final = _owned(
    Histogram(
        "jointly_opportunity_to_mail_seconds",
        "Time from the arrival of an opportunity event to its email (immediate and correction emails).",
        buckets=_SECONDS,
        registry=None,
    ),
    NOTIFIER,
)
