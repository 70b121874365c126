"""A group's history for one of its authorities: acts that counted, decisions, and shared documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncSession

from events.coalitions import MemberState
from events.responses import MembershipAct, ResponseDocument
from services.application.council_lines import CouncilLine
from services.application.group_view import GroupView
from services.domain.disclosure import shows_document
from services.store import responses
from services.store.responses import DOCUMENT, ROUTE, ResponseRow

SHOWN_KINDS: Final = ("invited", "accept", "decline", "join", "leave", "commit", "lead", "dates", ROUTE, DOCUMENT)
"""The kinds of acts that members may see of each other. Answers to a suggestion stay with their authority."""


@dataclass(frozen=True, slots=True)
class PastAct:
    """One act that counted."""

    on: date
    council: str
    kind: str


@dataclass(frozen=True, slots=True)
class Decision:
    """One member's decision. `decided_by`: the body or position that took it, if stated."""

    council: str
    leads: bool
    committed: bool
    decided_by: str = ""
    on: date | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """The address of a document. `host`: the host name in it; `own`: whether the reader's council shared it."""

    response_id: str
    title: str
    kind: str
    url: str
    host: str
    council: str
    on: date
    readers: str
    own: bool


@dataclass(frozen=True, slots=True)
class CoalitionHistory:
    """Acts, newest first; decisions of accepted members; documents that the reader may see, newest first."""

    acts: Sequence[PastAct]
    decisions: Sequence[Decision]
    documents: Sequence[Document]


async def load_history(session: AsyncSession, group: GroupView) -> CoalitionHistory:
    """Load the history of a group for the authority of the view."""
    rows = [row for row in await responses.of_subject(session, group.subject.subject_id) if responses.stands(row)]
    lines = {line.plan_id: line for line in (group.own, *group.others)}
    known = [row for row in reversed(rows) if row.plan_id in lines]
    acts = [PastAct(row.received_on, _council(lines, row), row.kind) for row in known if row.kind in SHOWN_KINDS]
    commits = {row.plan_id: row for row in rows if row.kind == MembershipAct.COMMIT}
    decisions = [
        _decision(line, commits.get(key), group) for key, line in lines.items() if line.state == MemberState.ACCEPTED
    ]
    documents = [_document(row, lines, group) for row in known if row.kind == DOCUMENT and _may_read(row, group)]
    return CoalitionHistory(acts, decisions, documents)


def _council(lines: Mapping[str, CouncilLine], row: ResponseRow) -> str:
    return lines[row.plan_id or ""].council


def _decision(line: CouncilLine, commit: ResponseRow | None, group: GroupView) -> Decision:
    if commit is None or not line.committed:
        return Decision(line.council, line.leads, line.committed)
    said = commit.payload.get("decided_by", "") if line.plan_id in group.visible_plans else ""
    return Decision(line.council, line.leads, line.committed, said, commit.received_on)


def _may_read(row: ResponseRow, group: GroupView) -> bool:
    """Whether the reader may see a document: its own always, others' while both plans are shared openly."""
    if row.authority == group.authority:
        return True
    readers = responses.payload_of(row, ResponseDocument).readers
    return row.plan_id in group.visible_plans and shows_document(readers, group.own.state)


def _document(row: ResponseRow, lines: Mapping[str, CouncilLine], group: GroupView) -> Document:
    payload = responses.payload_of(row, ResponseDocument)
    return Document(
        response_id=row.response_id,
        title=payload.title,
        kind=payload.document,
        url=payload.url,
        host=urlsplit(payload.url).hostname or "",
        council=_council(lines, row),
        on=row.received_on,
        readers=payload.readers,
        own=row.authority == group.authority,
    )
