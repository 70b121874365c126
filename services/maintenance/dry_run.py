"""Applies a settlement to a copy of a pair's row, for rebuilds and previews."""

from dataclasses import replace

from pydantic import ValidationError

from events.opportunities import OpportunityState
from services.domain.opportunity import AssessedPair, SettlementContext, state_content_hash
from services.matcher.pending_writes import PendingWrites, write_pair
from services.store.opportunities import Opportunity


def detached_copy(row: Opportunity) -> Opportunity:
    """Copy the row, detached from any session."""
    return replace(row)


def dry_run(live: Opportunity | None, key: str, pair: AssessedPair, context: SettlementContext) -> Opportunity | None:
    """Return the row after settlement as a new object; None if there was no row and settlement creates none."""
    row = None if live is None else detached_copy(live)
    kept = PendingWrites()
    write_pair(kept, row, key, pair, context)
    return next(iter(kept.rows), row)


def is_consistent(row: Opportunity) -> bool:
    """Return whether a row is consistent: its columns match its payload, and its payload matches its hash."""
    try:
        state = OpportunityState.model_validate(row.payload)
    except ValidationError:
        return False
    said = (state.opportunity_id, state.status, state.band, state.revision, state.material_revision)
    stored = (row.opportunity_id, row.status, row.band, row.revision, row.material_revision)
    named = ((row.plan_a, row.authority_a), (row.plan_b, row.authority_b))
    same = all(
        side.plan_id in (None, plan_id) and side.authority == authority
        for side, (plan_id, authority) in zip(state.plans, named, strict=True)
    )
    return said == stored and same and state_content_hash(state) == row.content_hash
