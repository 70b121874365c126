"""Signs the audit log once an hour and has the checkpoint published.

The relay does it because every act goes through the database that it reads, and it serves no network: the key that
signs is on no machine that takes requests. See docs/decisions/0605.
"""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from events.checkpoints import AuditCheckpointSigned
from events.cloudevents import Event, encode
from events.jwk import SigningKey
from events.signed_notes import Checkpoint, sign_checkpoint
from events.topics import CHECKPOINTS
from services.domain.ids import event_id
from services.domain.merkle import Frontier, leaf_hash
from services.platform import logs, retry
from services.store import advisory_locks, audit_log, outbox
from services.store.database import Sessions, now, transaction

INTERVAL: Final = timedelta(hours=1)
LOOK_SECONDS: Final = 30.0

log: Final = logs.get(__name__)


class BrokenChainError(Exception):
    """The log does not continue the last signed checkpoint. Signing it would vouch for the change."""


async def sign_for_ever(sessions: Sessions, key: SigningKey, origin: str) -> None:
    """Check periodically whether a checkpoint is due. After an error it checks again later."""

    async def sign_next() -> None:
        try:
            async with transaction(sessions) as session:
                await sign_if_due(session, key, origin, now())
        except BrokenChainError as error:
            log.error("audit log not signed", error=str(error))

    await retry.repeat(sign_next, LOOK_SECONDS, "audit log not signed", log)


async def sign_if_due(session: AsyncSession, key: SigningKey, origin: str, at: datetime) -> bool:
    """Sign the log if it has grown and the last checkpoint is an hour old; return whether it did.

    Raises BrokenChainError if the entries since then do not lead to the head.
    """
    if not await advisory_locks.try_advisory_lock(session, advisory_locks.CHECKPOINT):
        return False
    last = await audit_log.newest_checkpoint(session)
    if last is not None and at - last.signed_at < INTERVAL:
        return False
    signed = audit_log.to_frontier(last.size, last.peaks) if last is not None else Frontier()
    head = await audit_log.read_head(session)
    if head == signed:
        return False
    if await _continue(session, signed, head.size) != head:
        raise BrokenChainError("entries since the last checkpoint were changed or cut off; run `jointly audit verify`")
    checkpoint = Checkpoint(origin, head.size, head.root)
    note = sign_checkpoint(checkpoint, key)
    session.add(audit_log.checkpoint_row(head, note, at))
    event = _event(checkpoint, note, at)
    session.add(outbox.to_outbox_row(CHECKPOINTS.name, event.id, encode(event, origin)))
    log.info("audit log signed", entries=head.size, root=head.root.hex())
    return True


async def _continue(session: AsyncSession, signed: Frontier, size: int) -> Frontier:
    """Extend the tree by the following entries, up to `size`; other processes may have appended more meanwhile."""
    frontier = signed
    async for entry in audit_log.entries(session, signed.size):
        if frontier.size == size:
            break
        frontier = frontier.append(leaf_hash(entry.body))
    return frontier


def _event(checkpoint: Checkpoint, note: str, at: datetime) -> Event:
    root = checkpoint.root.hex()
    return Event(
        id=event_id("audit-checkpoint", checkpoint.origin, checkpoint.size, root),
        type=AuditCheckpointSigned.type,
        source="/audit",
        time=at,
        subject=checkpoint.origin,
        payload=AuditCheckpointSigned(origin=checkpoint.origin, size=checkpoint.size, root=root, note=note),
    )
