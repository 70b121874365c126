"""An authority's answers about one group, and whether each can still be taken back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from services.domain.coalition_answers import UNDO_DAYS
from services.store import responses
from services.store.responses import ResponseRow

_FINAL: Final = frozenset({"undone", "invited", "dates", responses.ROUTE})
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


def own_answer(
    row: ResponseRow, given: Sequence[ResponseRow], today: date, *, introduced: bool, open_group: bool
) -> OwnAnswer:
    """Describe one answer among all that the authority has given about the group.

    `open_group`: neither has the tender notice come out, nor has the group ended.
    """
    latest = not any(
        later.received_at > row.received_at and responses.stands(later) and later.kind not in _NO_ANSWERS
        for later in given
    )
    # An introduction can't be taken back: both have seen each other's plan.
    final = _FINAL | {"introduced"} if introduced else _FINAL
    recorded = responses.stands(row) and row.kind not in final
    in_time = open_group and today <= row.received_on + timedelta(days=UNDO_DAYS)
    return OwnAnswer(
        response_id=row.response_id,
        kind=row.kind,
        on=row.received_on,
        refused=row.detail,
        undone=row.undone_by is not None,
        can_undo=recorded and (row.kind == responses.DOCUMENT or (latest and in_time)),
    )
