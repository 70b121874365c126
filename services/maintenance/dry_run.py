"""What settling would do to a pair, found out by doing it to a copy of its row: for rebuilds and previews."""

from dataclasses import asdict

from pydantic import ValidationError

from events.opportunities import OpportunityState
from services.domain.opportunity import AssessedPair, SettlementContext, state_content_hash
from services.matcher.pending_writes import PendingWrites, write_pair
from services.store.opportunities import Opportunity, OpportunityRow


def detached_copy(row: Opportunity) -> Opportunity:
    """The same row, unknown to any session."""
    return Opportunity(**row.model_dump())


def dry_run(live: Opportunity | None, key: str, pair: AssessedPair, context: SettlementContext) -> Opportunity | None:
    """The row as settling would leave it: a new object, None where there is and would be none."""
    row = None if live is None else detached_copy(live)
    kept = PendingWrites()
    write_pair(kept, row, key, pair, context)
    if row is None:
        row = next((Opportunity(**asdict(new)) for new in kept.rows if isinstance(new, OpportunityRow)), None)
    return row


def is_consistent(row: Opportunity) -> bool:
    """Whether a row agrees with itself: its columns with its payload, and its payload with its hash."""
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
