"""An authority's answers about one group, and whether each can still be taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.domain.coalition import Coalition
from services.domain.coalition_bars import Bars
from services.domain.coalition_undo import can_undo, undo_by
from services.store import responses
from services.store.responses import ResponseRow

_FINAL: Final = frozenset({"undone", "invited", responses.ROUTE})
"""Responses that can't be taken back here; a route can, on its own page."""
_NO_ANSWERS: Final = frozenset({"undone", *responses.RECORDS})
"""Kinds of responses that do not block the undo of an earlier answer."""


@dataclass(frozen=True, slots=True)
class OwnAnswer:
    """One answer of the authority, and whether it can still be taken back."""

    response_id: str
    kind: str
    on: date
    refused: str | None
    undone: bool
    can_undo: bool


@dataclass(frozen=True, slots=True)
class CoalitionWithBars:
    """The coalition that answers are about, and what bars the authority's plan from it."""

    coalition: Coalition
    bars: Bars


def own_answer(
    row: ResponseRow, given: Sequence[ResponseRow], today: date, standing: CoalitionWithBars | None, *, introduced: bool
) -> OwnAnswer:
    """Describe one answer among all that the authority has given about the group. A pair has no `standing`."""
    latest = not any(
        later.received_at > row.received_at and responses.stands(later) and later.kind not in _NO_ANSWERS
        for later in given
    )
    # An introduction can't be taken back: both have seen each other's plan.
    final = _FINAL | {"introduced"} if introduced else _FINAL
    recorded = responses.stands(row) and row.kind not in final
    act = responses.act_record(row)
    if act is not None and standing is not None:
        allowed = can_undo(standing.coalition, act, today, standing.bars)
    else:
        allowed = today <= undo_by(row.received_on)
    return OwnAnswer(
        response_id=row.response_id,
        kind=row.kind,
        on=row.received_on,
        refused=row.detail,
        undone=row.undone_by is not None,
        can_undo=recorded and (row.kind == responses.DOCUMENT or (latest and allowed)),
    )
