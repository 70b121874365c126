"""Which email tells a pending intent: its `due_at` says so. Whatever waits besides costs nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import ARRAY, BigInteger, DateTime, String, bindparam, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.domain.notifications import Purpose, WaitReason


class Deferral(NamedTuple):
    """A pending intent, and the email to which it is left: one of this purpose, not before `due_at`."""

    intent_id: int
    purpose: Purpose
    due_at: datetime
    reason: str | None


_DEFER: Final = text(
    """UPDATE notification_intents i SET purpose = d.purpose, due_at = d.due_at, reason = d.reason, updated_at = :at
    FROM unnest(:ids, :purposes, :moments, :reasons) AS d (id, purpose, due_at, reason) WHERE i.id = d.id"""
).bindparams(
    bindparam("ids", type_=ARRAY(BigInteger)),
    bindparam("purposes", type_=ARRAY(String)),
    bindparam("moments", type_=ARRAY(DateTime(timezone=True))),
    bindparam("reasons", type_=ARRAY(String)),
)


async def defer(session: AsyncSession, deferrals: Sequence[Deferral], at: datetime) -> None:
    """Leave intents to later emails, in one statement. The caller has locked them, and does not use their objects
    again."""
    if deferrals:
        ids, purposes, moments, reasons = (list(column) for column in zip(*deferrals, strict=True))
        given = {
            "ids": ids,
            "purposes": [purpose.value for purpose in purposes],
            "moments": moments,
            "reasons": reasons,
            "at": at,
        }
        await session.execute(_DEFER, given)


_WHO: Final = """
    WITH RECURSIVE who AS (
        (SELECT authority FROM notification_intents WHERE state = 'pending' ORDER BY authority LIMIT 1)
        UNION ALL
        SELECT (SELECT authority FROM notification_intents WHERE state = 'pending' AND authority > who.authority
                ORDER BY authority LIMIT 1)
        FROM who WHERE who.authority IS NOT NULL
    )
"""
"""The authorities with pending intents. It seeks each one in the index instead of reading the whole index."""
_FLUSH: Final = text(
    f"""{_WHO}, these AS (
        SELECT i.id FROM who
        CROSS JOIN LATERAL (
            SELECT due_at FROM notification_intents
            WHERE authority = who.authority AND state = 'pending' AND purpose = 'digest'
                AND reason IS DISTINCT FROM '{WaitReason.UNKNOWN_PARTNER}' ORDER BY due_at LIMIT 1
        ) nearest
        JOIN notification_intents i ON i.authority = who.authority AND i.due_at = nearest.due_at
        WHERE nearest.due_at > :at AND i.state = 'pending' AND i.purpose = 'digest' ORDER BY i.id FOR UPDATE OF i
    )
    UPDATE notification_intents i SET due_at = :at FROM these WHERE i.id = these.id"""  # noqa: S608 (ours)
)
_DUE: Final = text(
    f"""{_WHO} SELECT count(*) FROM who JOIN notification_intents i ON i.authority = who.authority
    WHERE i.state = 'pending' AND i.purpose = 'digest' AND i.due_at <= :at"""  # noqa: S608 (ours)
)


async def flush_digests(session: AsyncSession, at: datetime) -> int:
    """Make each authority's next digest due now; returns the number of due digest intents. Intents over a cap wait for
    a later digest, and a later call makes them due."""
    await session.execute(_FLUSH, {"at": at})
    return int((await session.execute(_DUE, {"at": at})).scalar_one())
