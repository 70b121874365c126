"""Resets a plan: revisions above a given one are annulled, so that lower ones are accepted again."""

from typing import Final

from services.platform import logs
from services.store import plan_features, plan_resets, plans, shadow_tables
from services.store.bulk_writes import bulk_writes
from services.store.database import Sessions, assign, now, transaction
from services.store.plan_resets import PlanReset
from services.store.plans import PlanRecord
from services.store.replay_log import FULL_STATE_TYPES, replay_plan

log: Final = logs.get(__name__)


class ResetError(Exception):
    """The plan can't be reset; the message gives the reason and the remedy. Nothing was changed."""


async def reset(sessions: Sessions, plan_id: str, to: int, operator: str, reason: str) -> PlanReset:
    """Reset a plan to a revision in the log, as if later ones had never arrived, and record who did it, when and why.

    The plan becomes what a rebuild would make of the log. The sweeper then assesses it, which causes notifications of
    changes. Raises ResetError.
    """
    async with transaction(sessions) as session:
        locked = await plans.lock_plans(session, [plan_id])
        if plan_id not in locked:
            raise ResetError(f"there is no plan {plan_id}; a plan id is the authority, a colon and its reference")
        logged = await plan_resets.revisions_of(session, plan_id)
        if to not in {one.revision for one in logged if one.annulled_by is None and one.revision < locked[plan_id]}:
            raise ResetError(
                f"the plan stands at {locked[plan_id]}, and the log has no revision {to} below that which counts; see "
                f"`jointly plans revisions {plan_id}`. Have the plan published as it ought to be, under the revision "
                "it is to have, then set it back to that"
            )
        done = PlanReset(
            plan_id=plan_id, from_revision=locked[plan_id], to_revision=to, operator=operator, reason=reason, at=now()
        )
        await plan_resets.annul(session, done)
        made = replay_plan(await shadow_tables.logged_plan(session, plan_id, FULL_STATE_TYPES), None)
        row = await session.get_one(PlanRecord, plan_id)
        # The sweeper picks up unassessed plans. Until then nobody finds this one: its index row has another revision.
        waiting = {"assessed_revision": 0, "received_at": now(), "state": made.state or row.state}
        assign(row, made.model_dump() | waiting)
        async with bulk_writes(session) as writes:
            plan_features.close(writes, [plan_id])
    log.warning("plan reset", plan_id=plan_id, from_revision=done.from_revision, to_revision=to, reset=done.id)
    return done
