"""Checks every part that an installation needs, and reports whether it works."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from events.topics import COALITIONS, CONTRACTS_PATTERN, OPPORTUNITIES, PLANS_PATTERN, RESPONSES_PATTERN, TOPICS
from matching.corpus_statistics import Statistics
from matching.engine import Generation
from matching.policy import Policy
from services.coalitions import app as coalitions
from services.matcher import app as matcher
from services.messaging import topic_admin
from services.messaging.kafka import connection
from services.notifier import app as notifier
from services.notifier.channels import ChannelError, smtp_from_url
from services.platform.settings import Settings
from services.store import audit_log, generation, schema
from services.store.database import Sessions, now, open_sessions, transaction
from services.store.progress import progress
from services.store.schema import SchemaError

GROUPS: Final = {
    matcher.GROUP: PLANS_PATTERN,
    notifier.GROUP: re.escape(OPPORTUNITIES.name),
    notifier.COALITIONS_GROUP: re.escape(COALITIONS.name),
    coalitions.GROUP: re.escape(OPPORTUNITIES.name),
    coalitions.RESPONSES_GROUP: RESPONSES_PATTERN,
    coalitions.CONTRACTS_GROUP: CONTRACTS_PATTERN,
}
"""The consumer groups whose lag is shown, with their topics."""

LAG_SECONDS: Final = 20.0
"""How long the broker may take to say how far all groups are."""
UNSIGNED_TOO_LONG: Final = timedelta(hours=2)
"""The relay signs the audit log once an hour. The alert AuditUnsigned waits as long."""


class Verdict(StrEnum):
    """Whether a part works."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result for one part. `error` is the exception, for the caller to describe."""

    part: str
    verdict: Verdict
    sentences: tuple[str, ...] = ()
    error: Exception | None = None


Look = Callable[[Settings], Awaitable[Finding]]


async def diagnose(settings: Settings) -> Sequence[Finding]:
    """Check all parts in turn; a failing part does not stop the rest."""
    parts: dict[str, Look] = {
        "settings": _settings,
        "kafka": _kafka,
        "database": _database,
        "generation": _generation,
        "lag": _lag,
        "work": _work,
        "audit": _audit,
        "smtp": _smtp,
    }
    return [await _safely(part, look, settings) for part, look in parts.items()]


async def _safely(part: str, look: Look, settings: Settings) -> Finding:
    try:
        return await look(settings)
    except Exception as error:
        return Finding(part, Verdict.FAILED, error=error)


async def _settings(settings: Settings) -> Finding:
    odd = []
    if settings.as_of is not None:
        odd.append(f"plans are judged as of {settings.as_of.isoformat()}, whatever the day")
    if settings.signatures != "required":
        odd.append(f"signatures are {settings.signatures}: anybody who may write to a topic may speak for an authority")
    if not settings.public_url:
        odd.append("there is no public address: emails hold no link")
    return Finding("settings", Verdict.WARNING if odd else Verdict.OK, tuple(odd))


async def _kafka(settings: Settings) -> Finding:
    listed = await topic_admin.names(settings)
    missing = sorted({topic.name for topic in TOPICS} - listed)
    if missing:
        return Finding("kafka", Verdict.WARNING, (f"lacks {', '.join(missing)}: run `jointly topics`",))
    return Finding("kafka", Verdict.OK, (f"{len(TOPICS)} topics",))


async def _database(settings: Settings) -> Finding:
    async def look(sessions: Sessions) -> Finding:
        found = await schema.inspect(sessions)
        if not found.usable:
            raise SchemaError(found.sentence)
        return Finding("database", Verdict.OK, (found.sentence,))

    return await _on_database(settings, look)


async def _generation(settings: Settings) -> Finding:
    policy = Policy.load(settings.policy_file)
    statistics = Statistics.load(settings.statistics_file)

    async def look(sessions: Sessions) -> Finding:
        async with transaction(sessions) as session:
            current = await generation.read(session)
        if current is None:
            return Finding("generation", Verdict.WARNING, ("none yet: the first matcher sets it",))
        own = Generation(policy.version, statistics.version, current.model)
        seen = f"{current.generation}: policy {current.policy}, statistics {current.statistics}, model {current.model}"
        if own.id == current.generation:
            return Finding("generation", Verdict.OK, (seen,))
        told = (
            "this installation has another policy or version, other statistics or other successions: "
            "`jointly reassess` moves the database to them"
        )
        return Finding("generation", Verdict.WARNING, (seen, told))

    return await _on_database(settings, look)


async def _lag(settings: Settings) -> Finding:
    try:
        async with asyncio.timeout(LAG_SECONDS):
            seen = [await _lag_of(group, topics, settings) for group, topics in GROUPS.items()]
    except TimeoutError:
        # The client waits for ever for a broker that coordinates the group.
        told = f"no broker has said within {LAG_SECONDS:.0f} s how far the groups are: look at its __consumer_offsets"
        return Finding("lag", Verdict.FAILED, (told,))
    return Finding("lag", Verdict.OK, tuple(seen))


async def _lag_of(group: str, topics: str, settings: Settings) -> str:
    """Read the group's committed offsets, without joining it."""
    consumer = AIOKafkaConsumer(
        **connection(settings), group_id=group, enable_auto_commit=False, client_id="jointly-doctor"
    )
    try:
        await consumer.start()
        names = [name for name in await consumer.topics() if re.fullmatch(topics, name)]
        partitions = [TopicPartition(name, at) for name in names for at in consumer.partitions_for_topic(name) or ()]
        ends = await consumer.end_offsets(partitions)
        committed = [await consumer.committed(partition) or 0 for partition in partitions]
    finally:
        await consumer.stop()
    behind = sum(max(0, ends[partition] - done) for partition, done in zip(partitions, committed, strict=True))
    return f"{group} is {behind} records behind on {len(partitions)} partitions"


async def _work(settings: Settings) -> Finding:
    async def look(sessions: Sessions) -> Finding:
        async with transaction(sessions) as session:
            found = await progress(session)
        return Finding(
            "work",
            Verdict.OK,
            (
                f"{found.plans} plans, {found.pending} still to be assessed",
                f"{found.outbox_waiting} messages wait in the outbox, {found.untold} notifications are not sent yet",
            ),
        )

    return await _on_database(settings, look)


async def _audit(settings: Settings) -> Finding:
    async def look(sessions: Sessions) -> Finding:
        async with transaction(sessions) as session:
            since, size = await audit_log.oldest_unsigned(session), (await audit_log.read_head(session)).size
        if since is None:
            return Finding("audit", Verdict.OK, (f"{size} entries, all covered by a signed checkpoint",))
        seen = f"{size} entries; no checkpoint covers those from {since:%Y-%m-%d %H:%M} UTC on"
        if now() - since < UNSIGNED_TOO_LONG:
            return Finding("audit", Verdict.OK, (seen,))
        told = "the relay has no JOINTLY_INSTALLATION_KEY_FILE, or its log says why it does not sign"
        return Finding("audit", Verdict.WARNING, (seen, told))

    return await _on_database(settings, look)


async def _smtp(settings: Settings) -> Finding:
    if not settings.smtp_url.get_secret_value():
        return Finding("smtp", Verdict.WARNING, ("JOINTLY_SMTP_URL is not set: a notifier does not start",))
    channel = smtp_from_url(settings.need_smtp())
    where = f"the mail server at {channel.host}:{channel.port}"
    try:
        await channel.check()
    except ChannelError as error:
        return Finding("smtp", Verdict.FAILED, (f"{where} can't be reached or refuses the sign-in: {error}",))
    return Finding("smtp", Verdict.OK, (f"{where} accepts the connection; nothing was sent",))


async def _on_database(settings: Settings, look: Callable[[Sessions], Awaitable[Finding]]) -> Finding:
    async with open_sessions(settings.need_database(), pool=1) as sessions:
        return await look(sessions)
