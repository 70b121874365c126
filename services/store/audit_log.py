"""The audit log: append-only entries, the frontier of their hash tree, and its signed checkpoints.

A trigger and the table's privileges reject changes to entries. They can't stop the owner of the database. The hash tree
reveals such a change: every entry changes the root, and others hold checkpoints of earlier roots.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, Column, LargeBinary, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.domain.audit import Act, entry_body
from services.domain.merkle import HASH_BYTES, Frontier, leaf_hash
from services.store.database import limit_idle_in_transaction, now, table_of, timestamp

CHUNK: Final = 10_000


class AuditEntry(SQLModel, table=True):
    """One entry. `body` holds the hashed bytes; the columns repeat its fields for queries. `seq` is gapless from 0."""

    __tablename__ = "audit_log"

    seq: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    at: datetime = Field(sa_column=timestamp())
    action: str
    authority: str | None = Field(default=None, index=True)
    subject: str = Field(index=True)
    actor: str | None = Field(default=None)
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    leaf: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class AuditHead(SQLModel, table=True):
    """The one row that every append locks: the tree's frontier. The migration creates it."""

    __tablename__ = "audit_head"

    only: bool = Field(default=True, primary_key=True)
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    peaks: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class AuditCheckpoint(SQLModel, table=True):
    """A signed statement of the tree at one size. `note` is the published text."""

    __tablename__ = "audit_checkpoints"

    size: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    peaks: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    note: str
    signed_at: datetime = Field(sa_column=timestamp())


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """The verified fields of an entry as plain values: cheap to read by the hundred thousand."""

    seq: int
    at: datetime
    action: str
    authority: str | None
    subject: str
    actor: str | None
    body: bytes
    leaf: bytes


class AuditHeadMissingError(Exception):
    """The audit log has no head: its tables were emptied by hand."""


async def append(session: AsyncSession, acts: Sequence[Act]) -> list[int]:
    """Append acts in the caller's transaction; return their numbers. A rollback appends nothing.

    Call it last: every other append waits until the transaction ends.
    """
    if not acts:
        return []
    await limit_idle_in_transaction(session)
    head = (await session.execute(select(AuditHead).with_for_update())).scalar_one_or_none()
    if head is None:
        raise AuditHeadMissingError("the audit log has lost its head: restore the table audit_head from a backup")
    frontier, at = to_frontier(head.size, head.peaks), now()
    rows: list[dict[str, object]] = []
    first = frontier.size
    for act in acts:
        body = entry_body(act, frontier.size, at)
        leaf = leaf_hash(body)
        rows.append(
            {
                "seq": frontier.size,
                "at": at,
                "action": act.action.value,
                "authority": act.authority,
                "subject": act.subject,
                "actor": act.actor,
                "body": body,
                "leaf": leaf,
            }
        )
        frontier = frontier.append(leaf)
    await session.execute(insert(table_of(AuditEntry)), rows)
    await session.execute(update(AuditHead).values(size=frontier.size, peaks=b"".join(frontier.peaks)))
    return list(range(first, frontier.size))


def to_frontier(size: int, peaks: bytes) -> Frontier:
    """Build the frontier from a row."""
    return Frontier(size, tuple(peaks[n : n + HASH_BYTES] for n in range(0, len(peaks), HASH_BYTES)))


async def read_head(session: AsyncSession) -> Frontier:
    """The current frontier, read without a lock."""
    head = (await session.execute(select(AuditHead.size, AuditHead.peaks))).one_or_none()  # type: ignore[call-overload]
    return to_frontier(head[0], head[1]) if head is not None else Frontier()


async def entries(session: AsyncSession, first: int = 0) -> AsyncIterator[StoredEntry]:
    """All entries from `first` on, in order, read in chunks."""
    columns = [col(getattr(AuditEntry, name)) for name in StoredEntry.__slots__]
    while True:
        query = select(*columns).where(col(AuditEntry.seq) >= first).order_by(col(AuditEntry.seq)).limit(CHUNK)
        rows = (await session.execute(query)).all()
        for row in rows:
            yield StoredEntry(*row)
        if len(rows) < CHUNK:
            return
        first = rows[-1][0] + 1


async def leaves(session: AsyncSession, size: int) -> list[bytes]:
    """The leaf hashes of the first `size` entries."""
    query = select(col(AuditEntry.leaf)).where(col(AuditEntry.seq) < size).order_by(col(AuditEntry.seq))
    return [bytes(leaf) for leaf in (await session.execute(query)).scalars()]


async def load(session: AsyncSession, seq: int) -> AuditEntry | None:
    """One entry."""
    return await session.get(AuditEntry, seq)


async def about(
    session: AsyncSession, *, authority: str | None = None, subject: str | None = None, limit: int = 100
) -> Sequence[AuditEntry]:
    """The newest entries of an authority, about a subject, or both."""
    query = select(AuditEntry).order_by(col(AuditEntry.seq).desc()).limit(limit)
    if authority is not None:
        query = query.where(col(AuditEntry.authority) == authority)
    if subject is not None:
        query = query.where(col(AuditEntry.subject) == subject)
    return (await session.execute(query)).scalars().all()


async def checkpoints(session: AsyncSession) -> Sequence[AuditCheckpoint]:
    """All checkpoints, by size."""
    return (await session.execute(select(AuditCheckpoint).order_by(col(AuditCheckpoint.size)))).scalars().all()


async def newest_checkpoint(session: AsyncSession) -> AuditCheckpoint | None:
    """The checkpoint of the largest tree."""
    query = select(AuditCheckpoint).order_by(col(AuditCheckpoint.size).desc()).limit(1)
    found: AuditCheckpoint | None = (await session.execute(query)).scalar_one_or_none()
    return found


async def oldest_unsigned(session: AsyncSession) -> datetime | None:
    """The moment of the first entry that no checkpoint covers; None where all are covered."""
    signed = select(func.coalesce(func.max(AuditCheckpoint.size), 0)).scalar_subquery()
    found: datetime | None = (
        await session.execute(select(col(AuditEntry.at)).where(col(AuditEntry.seq) == signed))
    ).scalar_one_or_none()
    return found


def checkpoint_row(frontier: Frontier, note: str, signed_at: datetime) -> AuditCheckpoint:
    """Build the row of a checkpoint; the caller adds it to its transaction."""
    return AuditCheckpoint(size=frontier.size, peaks=b"".join(frontier.peaks), note=note, signed_at=signed_at)
