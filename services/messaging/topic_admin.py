"""Creates the topics that the wire contract declares. Existing topics stay as they are."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from events.topics import (
    AUTHORITY_FAMILIES,
    DAY_MS,
    NOTIFICATIONS,
    PAGE_PLANS,
    PAGE_RESPONSES,
    TOPICS,
    Topic,
    authority_topic,
)
from services.messaging.kafka import connection
from services.platform.settings import Settings

RETENTION: Final = "retention.ms"
LISTED_SECONDS: Final = 30.0
"""How long a broker may take to list a topic that its controller has created."""


@dataclass(frozen=True, slots=True)
class TopicsCreated:
    """The topics created, and those that existed."""

    created: tuple[str, ...]
    existing: tuple[str, ...]


class TopicsError(Exception):
    """The broker refused a topic; the message says which and why."""


async def create(settings: Settings, authorities: Iterable[str] = ()) -> TopicsCreated:
    """Create every declared topic, and a private topic for each of these authorities. Raises TopicsError.

    Returns once the broker lists them all. A matcher that starts earlier finds no topic, and looks again minutes later.
    """
    wanted = {topic.name: topic for topic in TOPICS}
    wanted |= {authority_topic(code, family): family for code in authorities for family in AUTHORITY_FAMILIES}
    admin = AIOKafkaAdminClient(**connection(settings), client_id="jointly-topics")
    try:
        await admin.start()
        existing = set(await admin.list_topics())
        missing = sorted(wanted.keys() - existing)
        made = [name for name in missing if await _create(admin, settings, name, wanted[name])]
        await _until_listed(admin, made)
    finally:
        await admin.close()
    return TopicsCreated(tuple(made), tuple(sorted(wanted.keys() - set(made))))


async def names(settings: Settings) -> set[str]:
    """Return the topics that the broker lists for this account. Raises KafkaError if it can't be reached."""
    admin = AIOKafkaAdminClient(**connection(settings), client_id="jointly-look")
    try:
        await admin.start()
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, settings: Settings, name: str, topic: Topic) -> bool:
    """Create a topic; False if another process created it meanwhile."""
    new = NewTopic(name, topic.partitions, settings.kafka_replication_factor, topic_configs=_config(topic, settings))
    answer = await admin.create_topics([new])
    for error in answer.topic_errors:
        kind = for_code(error[1])
        if kind is TopicAlreadyExistsError:
            return False
        if error[1]:
            detail = error[2] if len(error) > 2 and error[2] else kind.description
            raise TopicsError(f"the broker refused the topic {name}: {detail}")
    return True


def _config(topic: Topic, settings: Settings) -> dict[str, str]:
    """Build the topic's declared configuration, with the retention from the settings."""
    if RETENTION not in topic.config:
        return dict(topic.config)
    days = {family.name: settings.keep_plan_topics_days for family in (*AUTHORITY_FAMILIES, PAGE_PLANS, PAGE_RESPONSES)}
    days[NOTIFICATIONS.name] = settings.keep_notifications_days
    kept = days.get(topic.name, settings.keep_dead_letters_days)
    return {**topic.config, RETENTION: str(kept * DAY_MS)}


async def _until_listed(admin: AIOKafkaAdminClient, names: Iterable[str]) -> None:
    deadline = time.monotonic() + LISTED_SECONDS
    while unseen := set(names) - set(await admin.list_topics()):
        if time.monotonic() > deadline:
            raise TopicsError(
                f"the broker made {', '.join(sorted(unseen))} and still does not list it after {LISTED_SECONDS:.0f} s: "
                "look at the broker's log, then run this again"
            )
        await asyncio.sleep(0.1)
