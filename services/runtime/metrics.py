"""Every metric, declared and explained once. Counters count since the process started."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)

EVENTS_IN: Final = Counter("jointly_events_in_total", "Events read from Kafka.", ["family"])
EVENTS_OUT: Final = Counter("jointly_events_out_total", "Events published by the relay.", ["topic"])
PLAN_OUTCOMES: Final = Counter(
    "jointly_plan_events_total", "Plan events by what became of them: applied, superseded, duplicate.", ["outcome"]
)
DEAD_LETTERS: Final = Counter("jointly_dead_letters_total", "Events refused, by reason code.", ["family", "reason"])
SPOOFING: Final = Counter(
    "jointly_spoofing_attempts_total",
    "Plan events refused because whoever sent them may not speak for the authority they name, by reason code.",
    ["reason"],
)
HANDLING: Final = Histogram(
    "jointly_handling_seconds", "Time to handle one batch of events.", ["process"], buckets=_SECONDS
)
FAULTS: Final = Counter("jointly_faults_total", "Passing faults that were waited out, by kind.", ["kind"])
BATCHES_PUT_BACK: Final = Counter("jointly_batches_put_back_total", "Batches read again because a fault stayed.")

EVENT_TO_OPPORTUNITY: Final = Histogram(
    "jointly_event_to_opportunity_seconds",
    "From a plan event's publication to the commit of its opportunities.",
    buckets=_SECONDS,
)
EMBEDDINGS: Final = Counter("jointly_embeddings_total", "Texts embedded (known texts are not embedded again).")
CANDIDATES: Final = Counter("jointly_candidates_total", "Plans that the index gave as worth judging.")
PAIRS_WRITTEN: Final = Counter(
    "jointly_pairs_written_total", "Opportunities written, by what happened to them.", ["change"]
)
PAIRS_SKIPPED: Final = Counter(
    "jointly_pairs_skipped_total", "Pairs left to a partner's own handler, because the partner had moved on."
)
PLANS_ABANDONED: Final = Counter(
    "jointly_plans_abandoned_total", "Assessments thrown away because the plan itself had moved on."
)
ASSESSMENTS_FAILED: Final = Counter("jointly_assessments_failed_total", "Assessments that raised an error.")
SWEPT: Final = Counter("jointly_swept_plans_total", "Plans that the sweeper assessed.", ["why"])
PENDING_PLANS: Final = Gauge("jointly_pending_plans", "Plans whose newest revision is not assessed yet.")
WIDEST_PLAN: Final = Gauge(
    "jointly_widest_plan_opportunities",
    "Most active opportunities that one plan is in, as of ten minutes ago at most.",
)
REPEATED_PARTNER: Final = Gauge(
    "jointly_repeated_partner_opportunities",
    "Most active opportunities that one plan has with plans of one and the same other authority.",
)
ACTIVE_PLANS: Final = Gauge("jointly_active_plans", "Plans that this matcher holds as candidates.")
LAG: Final = Gauge("jointly_consumer_lag_records", "Records not read yet on the partitions held.", ["process"])

OUTBOX_WAITING: Final = Gauge("jointly_outbox_waiting", "Messages in the outbox that are not published yet.")
OUTBOX_AGE: Final = Gauge("jointly_outbox_age_seconds", "Age of the oldest message not published yet.")
SLICES_HELD: Final = Gauge("jointly_relay_slices_held", "Key slices that this relay publishes.")
REPUBLISHED: Final = Counter(
    "jointly_relay_republished_total", "Messages published again after taking a slice over from another relay."
)

INTENTS: Final = Counter(
    "jointly_intents_total", "Things to tell an authority, by how loudly and what changed.", ["purpose", "change"]
)
INTENTS_CANCELLED: Final = Counter(
    "jointly_intents_cancelled_total", "Things not told after all, by reason (in the moment of sending).", ["reason"]
)
INTENTS_CAPPED: Final = Counter(
    "jointly_intents_capped_total",
    "Things told later than they were due, by the cap they were over: plan, authority, reach.",
    ["cap"],
)
INTENTS_HELD: Final = Gauge(
    "jointly_intents_held", "Things to tell an authority that has named no mailbox, or has paused.", ["why"]
)
MAILS: Final = Counter(
    "jointly_mails_total",
    "Attempts to send a mail, by outcome: sent, temporary, ambiguous, cancelled, failed-<failure>.",
    ["purpose", "outcome"],
)
MAILS_WAITING: Final = Gauge(
    "jointly_mails_waiting", "Mails that are neither sent nor given up yet, by state.", ["state"]
)
SENDING: Final = Histogram("jointly_mail_sending_seconds", "Time the mail server took for one mail.", buckets=_SECONDS)
OPPORTUNITY_TO_MAIL: Final = Histogram(
    "jointly_opportunity_to_mail_seconds",
    "From an opportunity event's arrival to the mail that tells of it (immediate and correction mails).",
    buckets=_SECONDS,
)
