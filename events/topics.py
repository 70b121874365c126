"""All topics as data: content, key, retention, producers and consumers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from events.benchmarks import BENCHMARK_PAYLOADS
from events.checkpoints import CHECKPOINT_PAYLOADS
from events.coalitions import COALITION_PAYLOADS
from events.contracts import CONTRACT_PAYLOADS
from events.dead_letters import DEAD_LETTER_PAYLOADS
from events.fields import AUTHORITY_PATTERN, Payload, canonical_authority
from events.notifications import NOTIFICATION_PAYLOADS
from events.opportunities import OPPORTUNITY_PAYLOADS
from events.plans import PLAN_PAYLOADS
from events.responses import RESPONSE_PAYLOADS

DAY_MS: Final = 24 * 60 * 60 * 1000
MAX_BATCH_BYTES: Final = 1024 * 1024
"""The largest batch of plan events that the broker takes."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `producers` and `consumers` are our own modules or, after `external:`, other systems."""

    name: str
    about: str
    key: str
    payloads: Sequence[type[Payload]]
    partitions: int
    producers: Sequence[str]
    consumers: Sequence[str]
    config: Mapping[str, str] = field(default_factory=dict)


PLANS: Final = Topic(
    name="procurement.plans.v1",
    about="Plan events of all authorities that publish over a shared connection.",
    key="plan_id",
    payloads=PLAN_PAYLOADS,
    partitions=6,
    producers=("services.ingest", "external:council systems"),
    consumers=("services.matcher",),
    # The plan log in the database is the source of every rebuild; the topic only has to outlive an outage.
    # Larger than our own limit on a value, so that the matcher receives an oversized event and refuses it with a
    # reason.
    config={"retention.ms": str(30 * DAY_MS), "max.message.bytes": str(MAX_BATCH_BYTES)},
)
NOTICES: Final = Topic(
    name="procurement.notices.v1",
    about="Plan events made from public notices. Only the collector may write here; an authority's own outrank them.",
    key="plan_id",
    payloads=PLAN_PAYLOADS,
    partitions=3,
    producers=("services.collector",),
    consumers=("services.matcher",),
    config={"retention.ms": str(30 * DAY_MS), "max.message.bytes": str(MAX_BATCH_BYTES)},
)
PAGE_PLANS: Final = Topic(
    name="procurement.pages.v1",
    about="Plan events that authorities send on the pages. Only the relay may write here.",
    key="plan_id",
    payloads=PLAN_PAYLOADS,
    partitions=3,
    producers=("services.relay",),
    consumers=("services.matcher",),
    config={"retention.ms": str(30 * DAY_MS), "max.message.bytes": str(MAX_BATCH_BYTES)},
)
OPPORTUNITIES: Final = Topic(
    name="collaboration.opportunities.v1",
    about="The state of every opportunity. Internal: the notifier informs authorities.",
    key="opportunity_id",
    payloads=OPPORTUNITY_PAYLOADS,
    partitions=6,
    producers=("services.relay",),
    consumers=("services.coalitions", "services.notifier"),
    config={"cleanup.policy": "compact"},
)
RESPONSES: Final = Topic(
    name="collaboration.responses.v1",
    about="What authorities answer, ask and do about opportunities and coalitions.",
    key="subject_id",
    payloads=RESPONSE_PAYLOADS,
    partitions=6,
    producers=("services.application", "external:council systems"),
    consumers=("services.coalitions",),
    # The database keeps every response; the topic only has to outlive an outage.
    config={"retention.ms": str(30 * DAY_MS), "max.message.bytes": str(MAX_BATCH_BYTES)},
)
PAGE_RESPONSES: Final = Topic(
    name="collaboration.pages.v1",
    about="What authorities answer on the pages. Only the relay may write here: the web process has vouched for each.",
    key="subject_id",
    payloads=RESPONSE_PAYLOADS,
    partitions=3,
    producers=("services.relay",),
    consumers=("services.coalitions",),
    config={"retention.ms": str(30 * DAY_MS), "max.message.bytes": str(MAX_BATCH_BYTES)},
)
CONTRACTS: Final = Topic(
    name="procurement.contracts.v1",
    about="What authorities share of their running contracts: supplier, term, prices, performance.",
    key="contract_id",
    payloads=CONTRACT_PAYLOADS,
    partitions=3,
    producers=("services.application", "external:council systems"),
    consumers=("services.coalitions",),
    # The database keeps the newest revision of each; the topic only has to outlive an outage.
    config={"retention.ms": str(30 * DAY_MS), "max.message.bytes": str(MAX_BATCH_BYTES)},
)
BENCHMARKS: Final = Topic(
    name="charter.benchmarks.v1",
    about="The state of every request for a benchmark that an extension beyond twelve months makes.",
    key="request_id",
    payloads=BENCHMARK_PAYLOADS,
    partitions=3,
    producers=("services.relay",),
    consumers=("external:programme office reporting",),
    config={"cleanup.policy": "compact"},
)
COALITIONS: Final = Topic(
    name="collaboration.coalitions.v1",
    about="The state of every coalition.",
    key="coalition_id",
    payloads=COALITION_PAYLOADS,
    partitions=6,
    producers=("services.relay",),
    consumers=("services.notifier", "external:programme office reporting"),
    config={"cleanup.policy": "compact"},
)
NOTIFICATIONS: Final = Topic(
    name="collaboration.notifications.v1",
    about="The result of every message to an authority.",
    key="notification_id",
    payloads=NOTIFICATION_PAYLOADS,
    partitions=3,
    producers=("services.relay",),
    consumers=("external:programme office reporting",),
    config={"retention.ms": str(90 * DAY_MS)},
)
CHECKPOINTS: Final = Topic(
    name="audit.checkpoints.v1",
    about="Signed checkpoints of the audit log. A reader who stores them can prove a later change of the log.",
    key="origin",
    payloads=CHECKPOINT_PAYLOADS,
    partitions=1,
    producers=("services.relay",),
    consumers=("external:witnesses",),
    # Records of a procurement are kept for three years (Procurement Act 2023, section 98).
    config={"retention.ms": str(3 * 366 * DAY_MS)},
)


def _dead_letters(family: str, *producers: str) -> Topic:
    return Topic(
        name=f"dead-letters.{family}.v1",
        about=f"Events of the {family} family that could not be handled.",
        key="the original key",
        payloads=DEAD_LETTER_PAYLOADS,
        partitions=1,
        producers=producers,
        consumers=("services.cli",),
        config={"retention.ms": str(90 * DAY_MS), "max.message.bytes": str(1024 * 1024)},
    )


DEAD_PLANS: Final = _dead_letters("plans", "services.matcher")
DEAD_OPPORTUNITIES: Final = _dead_letters("opportunities", "services.coalitions", "services.notifier")

DEAD_COALITIONS: Final = _dead_letters("coalitions", "services.notifier")
DEAD_RESPONSES: Final = _dead_letters("responses", "services.coalitions")
DEAD_CONTRACTS: Final = _dead_letters("contracts", "services.coalitions")

TOPICS: Final = (
    PLANS,
    NOTICES,
    PAGE_PLANS,
    OPPORTUNITIES,
    RESPONSES,
    PAGE_RESPONSES,
    CONTRACTS,
    BENCHMARKS,
    COALITIONS,
    NOTIFICATIONS,
    CHECKPOINTS,
    DEAD_PLANS,
    DEAD_OPPORTUNITIES,
    DEAD_COALITIONS,
    DEAD_RESPONSES,
    DEAD_CONTRACTS,
)

PLANS_PATTERN: Final = r"^procurement\.((notices|pages)\.v1|plans\.v1(\..+)?)$"
"""The shared topic, those of single authorities (`procurement.plans.v1.<authority>`), and those of public notices and
of the pages."""

RESPONSES_PATTERN: Final = r"^collaboration\.(pages\.v1|responses\.v1(\..+)?)$"
"""The shared topic, those of single authorities (`collaboration.responses.v1.<authority>`), and that of the pages."""

OWN_WRITERS: Final[Mapping[str, tuple[Topic, ...]]] = {
    PLANS.name: (NOTICES, PAGE_PLANS),
    RESPONSES.name: (PAGE_RESPONSES,),
}
"""By family, the topics on which our own processes publish for authorities; nobody else may write there."""

CONTRACTS_PATTERN: Final = r"^procurement\.contracts\.v1(\..+)?$"
"""The shared topic and those of single authorities: `procurement.contracts.v1.<authority>`."""

AUTHORITY_FAMILIES: Final = (PLANS, RESPONSES, CONTRACTS)
"""The families that authorities publish. Each has a shared topic, and an authority may have its own."""


def family_of(topic: str) -> Topic:
    """Return the family of an authorities' topic. An unknown name belongs to the family of plans."""
    if topic == PAGE_RESPONSES.name:
        return RESPONSES
    return next((family for family in AUTHORITY_FAMILIES if topic.startswith(family.name)), PLANS)


class NotAnAuthorityTopicError(ValueError):
    """The topic's last segment can't be an authority."""


def authority_of(topic: str, family: Topic = PLANS) -> str | None:
    """Return the authority that a topic of a family belongs to, or None for a topic of all authorities.

    Raises NotAnAuthorityTopicError unless the last segment is an authority's code in its list's spelling. To the
    broker,
    a topic in another case is another topic, on which others may be allowed to write.
    """
    if topic in (family.name, *(own.name for own in OWN_WRITERS.get(family.name, ()))):
        return None
    prefix = f"{family.name}."
    code = topic.removeprefix(prefix) if topic.startswith(prefix) else ""
    if not re.fullmatch(AUTHORITY_PATTERN, code) or code != canonical_authority(code):
        raise NotAnAuthorityTopicError(
            f"'{topic}' names no authority: expected {family.name}.<authority>, in its list's case"
        )
    return code


def authority_topic(authority: str, family: Topic = PLANS) -> str:
    """The topic of a family on which only one authority may write."""
    return f"{family.name}.{canonical_authority(authority)}"
