"""The outbox. A transaction writes its events together with the state they describe; the relay publishes them later."""

import zlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import (
    BigInteger,
    Column,
    CursorResult,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from events.cloudevents import CAUSATION, Message
from services.store.bulk_writes import BulkWrites
from services.store.database import in_array, in_array_param, json_column, now, table_of, timestamp
from services.store.pipelined_queries import PipelinedQuery, Rows, execute_pipelined, fetch

_CHANNEL: Final = "jointly_outbox"
PRUNED_AT_ONCE: Final = 5000
OUTBOX_SHARDS: Final = 16
"""The number of shards that keys are divided into. One relay at a time publishes a shard."""


class Outbox(SQLModel, table=True):
    """One message for Kafka. Messages of one key are published in the order of their ids."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_waiting", "shard", "id", postgresql_where=text("published_at IS NULL")),
        Index("outbox_latest", "topic", "key", "id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(), primary_key=True))
    topic: str
    key: str
    shard: int = Field(sa_column=Column(SmallInteger, nullable=False))
    event_id: str
    headers: Any = Field(sa_column=json_column())
    value: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    created_at: datetime = Field(sa_column=timestamp())
    published_at: datetime | None = Field(default=None, sa_column=timestamp(nullable=True))

    @property
    def causation_id(self) -> str | None:
        """The id of the plan event that caused the message, if one did."""
        return next((value for name, value in self.headers if name == f"ce_{CAUSATION}"), None)

    def message(self) -> Message:
        """The message value for Kafka; empty if the row is a tombstone."""
        return Message(
            key=self.key.encode(),
            headers=tuple((name, value.encode()) for name, value in self.headers),
            value=bytes(self.value),
        )


def shard_for(key: str) -> int:
    """Return the shard of a key, the same on every machine."""
    return zlib.crc32(key.encode()) % OUTBOX_SHARDS


def to_outbox_row(topic: str, event_id: str, message: Message) -> Outbox:
    """Build an outbox row for `message`; the caller adds it to its transaction."""
    return Outbox(**to_columns(topic, event_id, message))


def to_columns(topic: str, event_id: str, message: Message) -> dict[str, Any]:
    """Build the columns of an outbox row for `message`, for bulk writes with `append`."""
    key = message.key.decode()
    return {
        "topic": topic,
        "key": key,
        "shard": shard_for(key),
        "event_id": event_id,
        "headers": [[name, value.decode()] for name, value in message.headers],
        "value": message.value,
        "created_at": now(),
    }


def tombstone(topic: str, key: str) -> dict[str, Any]:
    """Build the columns of a tombstone, which removes a key from a compacted topic."""
    return {
        "topic": topic,
        "key": key,
        "shard": shard_for(key),
        "event_id": f"tombstone-{key}",
        "headers": [],
        "value": b"",
        "created_at": now(),
    }


_DROP: Final = text(
    "WITH these AS (SELECT id FROM outbox WHERE topic = :topic AND key = ANY(:keys) ORDER BY id FOR UPDATE)"
    " DELETE FROM outbox o USING these WHERE o.id = these.id"
)


_DROP_IDS: Final = text(
    "WITH these AS (SELECT id FROM outbox WHERE id = ANY(:ids) ORDER BY id FOR UPDATE)"
    " DELETE FROM outbox o USING these WHERE o.id = these.id"
)


async def drop(session: AsyncSession, topic: str, keys: Collection[str]) -> None:
    """Delete all messages with these keys, unpublished ones too. The caller writes newer ones of the same keys."""
    await session.execute(_DROP, {"topic": topic, "keys": list(keys)})


async def of_topics(session: AsyncSession, topics: Collection[str]) -> Sequence[Outbox]:
    """Return all messages for these topics, published or not."""
    query = select(Outbox).where(in_array(col(Outbox.topic), topics)).order_by(col(Outbox.id))
    return (await session.execute(query)).scalars().all()


async def drop_messages(session: AsyncSession, ids: Collection[int]) -> None:
    """Delete messages, unpublished ones too."""
    await session.execute(_DROP_IDS, {"ids": list(ids)})


def append(writes: BulkWrites, messages: Sequence[Mapping[str, Any]]) -> None:
    """Add messages (`to_columns`) in the order given, and wake the relays at commit."""
    # PostgreSQL delivers repeated notifications of a transaction once.
    writes.insert(table_of(Outbox), messages, behind=f"RETURNING pg_notify('{_CHANNEL}', '')")


async def listen(session: AsyncSession) -> None:
    """Subscribe this connection to notifications of new messages; see `wait_for_notify`."""
    await session.execute(text(f"LISTEN {_CHANNEL}"))


async def wait_for_notify(session: AsyncSession, seconds: float) -> None:
    """Wait for new messages, at most `seconds`. The session owns its connection and is in no transaction."""
    connection = await (await session.connection()).get_raw_connection()
    async for _ in connection.driver_connection.notifies(timeout=seconds, stop_after=1):  # type: ignore[union-attr]
        pass


_READ: Final = ("id", "topic", "key", "event_id", "headers", "value")
_WAITING: Final = (
    select(*(table_of(Outbox).c[name] for name in _READ))
    .where(in_array_param(col(Outbox.shard), "shards"), col(Outbox.published_at).is_(None))
    .order_by(col(Outbox.id))
    .limit(bindparam("most"))
)
_PUBLISHED: Final = text(
    "WITH these AS (SELECT id FROM outbox WHERE id = ANY(:ids) ORDER BY id FOR UPDATE)"
    " UPDATE outbox o SET published_at = :moment FROM these WHERE o.id = these.id"
)


async def unpublished(session: AsyncSession, shards: Collection[int], limit: int) -> list[Outbox]:
    """Return the oldest unpublished messages of these shards, in publishing order."""
    given = {"shards": list(shards), "most": limit}
    return await fetch(session, PipelinedQuery(_WAITING, given, _messages))


def _messages(rows: Rows) -> list[Outbox]:
    return [Outbox(**dict(zip(_READ, row, strict=True))) for row in rows]


async def mark_published(session: AsyncSession, ids: Sequence[int]) -> None:
    """Record that the broker acknowledged these messages."""
    await execute_pipelined(session, PipelinedQuery(_PUBLISHED, {"ids": list(ids), "moment": now()}, len))


async def last_published_since(session: AsyncSession, shards: Collection[int], since: datetime) -> Sequence[Outbox]:
    """Return the latest published message of each key of these shards that was published after `since`."""
    query = (
        select(Outbox)
        .where(in_array(col(Outbox.shard), shards), col(Outbox.published_at) > since)
        .order_by(col(Outbox.topic), col(Outbox.key), col(Outbox.id).desc())
        .ext(distinct_on(col(Outbox.topic), col(Outbox.key)))
    )
    return (await session.execute(query)).scalars().all()


async def newest(session: AsyncSession, topic: str, key: str) -> Outbox | None:
    """Return the latest message of a key, published or not, if the outbox still holds one."""
    query = select(Outbox).where(col(Outbox.topic) == topic, col(Outbox.key) == key).order_by(col(Outbox.id).desc())
    found: Outbox | None = (await session.execute(query.limit(1))).scalars().first()
    return found


_SAY_AGAIN: Final = text(
    "WITH these AS (SELECT id FROM outbox WHERE id = ANY(ARRAY("
    "  SELECT (SELECT max(id) FROM outbox WHERE topic = k.topic AND key = k.key)"
    "  FROM unnest(CAST(:topics AS text[]), CAST(:keys AS text[])) AS k(topic, key))) ORDER BY id FOR UPDATE)"
    " UPDATE outbox o SET published_at = NULL FROM these WHERE o.id = these.id"
)


async def requeue_latest(session: AsyncSession, keys: Collection[tuple[str, str]]) -> None:
    """Mark the newest message of each (topic, key) as unpublished, so that a relay publishes it again."""
    if keys:
        named = {"topics": [topic for topic, _ in keys], "keys": [key for _, key in keys]}
        await session.execute(_SAY_AGAIN, named)


async def prune(session: AsyncSession, before: datetime, limit: int = PRUNED_AT_ONCE) -> int:
    """Delete messages published before `before`, which no takeover can need, and return their number, at most `limit`.

    Locked messages wait for a later call.
    """
    deleted = await session.execute(
        text(
            "WITH these AS (SELECT id FROM outbox WHERE published_at < :before ORDER BY id LIMIT :limit"
            " FOR UPDATE SKIP LOCKED) DELETE FROM outbox o USING these WHERE o.id = these.id"
        ),
        {"before": before, "limit": limit},
    )
    return cast(CursorResult[Any], deleted).rowcount


async def backlog(session: AsyncSession) -> tuple[int, float]:
    """Return the number of unpublished messages, and the age of the oldest in seconds."""
    count, oldest = (
        await session.execute(
            select(func.count(), func.min(Outbox.created_at)).where(col(Outbox.published_at).is_(None))
        )
    ).one()
    return int(count), (now() - oldest).total_seconds() if oldest else 0.0
