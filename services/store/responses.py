"""The answers of authorities: each response once, and the pairs that an authority called not the same need."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter
from sqlalchemy import Index, delete, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from events.redaction import shorten_response
from events.responses import AnswerKind, DocumentReaders, Response
from matching.plan import Status
from services.domain.coalition_answers import ResponseOutcome
from services.domain.coalition_undo import ActChange, ActRecord
from services.store.database import in_array, json_column, now, timestamp
from services.store.forgotten import FORGOTTEN
from services.store.plans import PlanRecord
from services.store.sharing import is_open

P = TypeVar("P", bound=Response)

FORGOTTEN_URL: Final = "https://forgotten.invalid"
"""Stands for the address of a document that was forgotten; no such host can exist."""
ROUTE: Final = "route"
DOCUMENT: Final = "document"
ENQUIRY: Final = "enquiry"
RECORDS: Final = (ROUTE, DOCUMENT)
"""Kinds of responses that record something: they change nothing, and no answer waits for them to be undone first."""


_CHANGE: Final = TypeAdapter(ActChange)


class ResponseRow(SQLModel, table=True):
    """One validated response and its outcome: recorded, or refused with the reason in `detail`.

    `speaker`: the authority, or the party that acts for it. An id is unique among one speaker's responses, so that
    nobody can use up another's. `plan_id` is null where the act is about no plan: a party convenes, or an authority
    delegates.
    `change`: what the response changed, for an undo. `about`: the other plans that an answer was
    about: the pair's, or those of the coalition's members on that day. `asked`, `reply_by`: the plans that an
    invitation asked, and their last day to answer. `receipt_mail_id`: the email that told its authority of it.
    """

    __tablename__ = "responses"
    __table_args__ = (
        Index("responses_subject", "subject_id", "received_at"),
        Index(
            "responses_without_receipt",
            "response_id",
            postgresql_where=text("receipt_mail_id IS NULL AND outcome = 'recorded'"),
        ),
        Index("responses_convened", "authority", postgresql_where=text("kind = 'convened'")),
        Index("responses_documents", "received_at", postgresql_where=text("kind = 'document'")),
    )

    speaker: str = Field(primary_key=True)
    response_id: str = Field(primary_key=True)
    authority: str = Field(index=True)
    plan_id: str | None = Field(default=None, index=True)
    subject: str
    subject_id: str
    kind: str
    payload: Any = Field(sa_column=json_column())
    content_hash: str
    outcome: str
    detail: str | None = Field(default=None)
    change: Any = Field(default=None, sa_column=json_column(nullable=True))
    about: list[str] | None = Field(default=None, sa_column=json_column(nullable=True))
    asked: list[str] | None = Field(default=None, sa_column=json_column(nullable=True))
    reply_by: date | None = Field(default=None)
    undone_by: str | None = Field(default=None)
    receipt_mail_id: str | None = Field(default=None, index=True)
    received_on: date
    received_at: datetime = Field(sa_column=timestamp())


class PairVerdict(SQLModel, table=True):
    """An authority's verdict that two plans are not the same need. It holds until either plan changes its `words`.

    `plan_a < plan_b`.
    """

    __tablename__ = "pair_verdicts"

    plan_a: str = Field(primary_key=True)
    plan_b: str = Field(primary_key=True, index=True)
    authority: str = Field(primary_key=True)
    reason: str | None = Field(default=None)
    words: str
    response_id: str = Field(index=True)
    created_at: datetime = Field(sa_column=timestamp())


def words_hash(states: Sequence[Mapping[str, Any] | None]) -> str:
    """Hash the words in which plans describe their need: title, description and codes, not dates or figures."""
    said = [
        "\0".join(("", str(state["title"]), str(state.get("description", "")), *state.get("cpv", ()))) if state else ""
        for state in states
    ]
    return hashlib.sha256("\1".join(said).encode()).hexdigest()[:32]


def dump_change(change: ActChange) -> Any:
    """Encode what an act in a coalition changed for `ResponseRow.change`."""
    return _CHANGE.dump_python(change, mode="json")


def act_record(response: ResponseRow) -> ActRecord | None:
    """Decode what an act in a coalition changed; None if the response is no such act."""
    if response.subject != "coalition" or response.change is None:
        return None
    return ActRecord(response.kind, response.received_on, _CHANGE.validate_python(response.change))


def payload_of(row: ResponseRow, kind: type[P]) -> P:
    """The payload of a stored response."""
    return kind.model_validate(shorten_response(row.payload))


async def load(session: AsyncSession, speaker: str, response_id: str) -> ResponseRow | None:
    """Return one response of an authority or party."""
    return await session.get(ResponseRow, {"speaker": speaker, "response_id": response_id})


async def given_for(session: AsyncSession, authority: str, response_id: str, speaker: str) -> ResponseRow | None:
    """Return the response given for an authority under an id: the speaker's own if there are several."""
    found = await session.execute(
        select(ResponseRow)
        .where(col(ResponseRow.authority) == authority, col(ResponseRow.response_id) == response_id)
        .order_by((col(ResponseRow.speaker) == speaker).desc(), col(ResponseRow.received_at).desc())
        .limit(1)
    )
    return found.scalar_one_or_none()


async def without_receipt(session: AsyncSession, limit: int) -> list[ResponseRow]:
    """Answers that counted and have no receipt yet, locked; answers locked by other processes are skipped."""
    found = await session.execute(
        select(ResponseRow)
        .where(col(ResponseRow.receipt_mail_id).is_(None), col(ResponseRow.outcome) == ResponseOutcome.RECORDED)
        .where(
            or_(
                col(ResponseRow.subject).in_(("opportunity", "coalition", "party")),
                col(ResponseRow.kind) == ENQUIRY,
            )
        )
        .order_by(col(ResponseRow.response_id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return list(found.scalars())


async def of_receipt(session: AsyncSession, mail_id: str) -> ResponseRow | None:
    """The response whose receipt an email is; None if it is no receipt."""
    found = await session.execute(select(ResponseRow).where(col(ResponseRow.receipt_mail_id) == mail_id))
    return found.scalar_one_or_none()


async def is_latest(session: AsyncSession, response: ResponseRow) -> bool:
    """Return whether a plan's authority has recorded no later valid response about the same subject. Routes follow each
    other apart from answers; each document stands for itself."""
    if response.kind == DOCUMENT:
        return True
    found = await session.execute(
        select(func.count())
        .select_from(ResponseRow)
        .where(
            col(ResponseRow.subject_id) == response.subject_id,
            col(ResponseRow.plan_id) == response.plan_id,
            col(ResponseRow.outcome) == ResponseOutcome.RECORDED,
            col(ResponseRow.undone_by).is_(None),
            col(ResponseRow.kind) != "undone",
            col(ResponseRow.kind) == ROUTE if response.kind == ROUTE else col(ResponseRow.kind).not_in(RECORDS),
            col(ResponseRow.received_at) > response.received_at,
        )
    )
    return not found.scalar_one()


def stands(response: ResponseRow) -> bool:
    """Whether a response counted and has not been taken back."""
    return response.outcome == ResponseOutcome.RECORDED and response.undone_by is None


async def of_subject(session: AsyncSession, subject_id: str) -> list[ResponseRow]:
    """Return all responses about one opportunity or coalition, oldest first."""
    found = await session.execute(
        select(ResponseRow)
        .where(col(ResponseRow.subject_id) == subject_id)
        .order_by(col(ResponseRow.received_at), col(ResponseRow.response_id))
    )
    return list(found.scalars())


async def documents_for_signatories(session: AsyncSession, limit: int) -> list[tuple[ResponseRow, PlanRecord]]:
    """The documents for all signatories that were not taken back, newest first, each with its plan.

    Plans that are withdrawn or not shared openly are left out here, so that their documents don't use up the limit.
    """
    found = await session.execute(
        select(ResponseRow, PlanRecord)
        .join(PlanRecord, col(PlanRecord.plan_id) == col(ResponseRow.plan_id))
        .where(
            col(ResponseRow.kind) == DOCUMENT,
            col(ResponseRow.payload)["readers"].as_string() == DocumentReaders.SIGNATORIES,
            col(ResponseRow.outcome) == ResponseOutcome.RECORDED,
            col(ResponseRow.undone_by).is_(None),
            col(PlanRecord.status) != Status.WITHDRAWN,
            is_open(col(PlanRecord.state)),
        )
        .order_by(col(ResponseRow.received_at).desc(), col(ResponseRow.response_id))
        .limit(limit)
    )
    return [(row[0], row[1]) for row in found]


async def routes(session: AsyncSession, plan_ids: Collection[str], subject_ids: Collection[str]) -> list[ResponseRow]:
    """The routes recorded for these plans or coalitions and not taken back, oldest first."""
    about = or_(in_array(col(ResponseRow.plan_id), plan_ids), in_array(col(ResponseRow.subject_id), subject_ids))
    found = await session.execute(
        select(ResponseRow)
        .where(
            col(ResponseRow.kind) == ROUTE,
            col(ResponseRow.outcome) == ResponseOutcome.RECORDED,
            col(ResponseRow.undone_by).is_(None),
            about,
        )
        .order_by(col(ResponseRow.received_at), col(ResponseRow.response_id))
    )
    return list(found.scalars())


_FORGET: Final = text(
    "UPDATE responses SET payload = payload - ARRAY['scope', 'route', 'note', 'decided_by', 'candidates']"
    " || CASE WHEN kind = 'route' THEN jsonb_build_object('by', CAST(:blank AS text)) ELSE '{}' END"
    " || CASE WHEN kind = 'document' THEN jsonb_build_object('title', CAST(:blank AS text), 'url', CAST(:url AS text))"
    " ELSE '{}' END,"
    " undone_by = CASE WHEN kind = 'document' THEN coalesce(undone_by, :blank) ELSE undone_by END"
    " WHERE plan_id = :plan_id"
)
_FORGET_CONVENED: Final = text(
    "UPDATE responses SET payload = payload - 'scope' WHERE kind = 'convened'"
    " AND (authority = ANY(:subjects) OR jsonb_exists_any(payload -> 'plan_ids', :subjects))"
)


async def forget(session: AsyncSession, plan_id: str) -> None:
    """Delete what people wrote in responses for a plan; take documents back. Decisions stay."""
    await session.execute(_FORGET, {"plan_id": plan_id, "blank": FORGOTTEN, "url": FORGOTTEN_URL})


async def forget_convened(session: AsyncSession, subjects: Collection[str]) -> None:
    """Delete what parties wrote when they convened: these parties, or any about these plans."""
    await session.execute(_FORGET_CONVENED, {"subjects": list(subjects)})


async def put_verdicts(session: AsyncSession, verdicts: Sequence[PairVerdict]) -> None:
    """Replace earlier verdicts of the same authority on the same pair."""
    for verdict in verdicts:
        await session.merge(verdict)


async def withdraw_verdicts(session: AsyncSession, authority: str, response_id: str) -> list[str]:
    """Remove the verdicts of an authority's response; returns their plans."""
    theirs = (col(PairVerdict.authority) == authority, col(PairVerdict.response_id) == response_id)
    verdicts = (await session.execute(select(PairVerdict).where(*theirs))).scalars().all()
    await session.execute(delete(PairVerdict).where(*theirs))
    return sorted({plan_id for verdict in verdicts for plan_id in (verdict.plan_a, verdict.plan_b)})


_STATES: Final = text(
    "SELECT v.plan_a, v.plan_b, v.words, a.state, b.state FROM pair_verdicts v"
    " JOIN plans a ON a.plan_id = v.plan_a JOIN plans b ON b.plan_id = v.plan_b"
    " JOIN unnest(CAST(:first AS text[]), CAST(:second AS text[])) AS pair (first, second)"
    " ON v.plan_a = pair.first AND v.plan_b = pair.second"
)


async def silenced(session: AsyncSession, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return those of these pairs that an authority rejected as not the same need, while both plans' words stand.

    A pair is given and returned with its plans in id order.
    """
    given = {"first": [first for first, _ in pairs], "second": [second for _, second in pairs]}
    found = await session.execute(_STATES, given)
    return {(a, b) for a, b, words, state_a, state_b in found if words == words_hash([state_a, state_b])}


async def declined(session: AsyncSession, plan_ids: Collection[str]) -> dict[tuple[str, str], datetime]:
    """Return the pairs of these plans with others that their authority's last answer called not for this time, each
    with the time of the answer. An answer to a coalition is one to each pair with its other members."""
    found = await session.execute(
        select(ResponseRow)
        .where(
            in_array(col(ResponseRow.plan_id), plan_ids),
            col(ResponseRow.kind).in_(AnswerKind),
            col(ResponseRow.outcome) == ResponseOutcome.RECORDED,
            col(ResponseRow.undone_by).is_(None),
        )
        .order_by(col(ResponseRow.received_at), col(ResponseRow.response_id))
    )
    last = {(str(row.plan_id), other): row for row in found.scalars() for other in row.about or ()}
    return {pair: row.received_at for pair, row in last.items() if row.kind == AnswerKind.NOT_THIS_TIME}


async def counts(session: AsyncSession) -> dict[str, int]:
    """Count recorded responses by kind, without those taken back."""
    found = await session.execute(
        select(col(ResponseRow.kind), func.count())
        .where(col(ResponseRow.outcome) == ResponseOutcome.RECORDED, col(ResponseRow.undone_by).is_(None))
        .group_by(col(ResponseRow.kind))
    )
    return {row[0]: row[1] for row in found}


def new_verdict(pair: tuple[str, str], authority: str, reason: str | None, words: str, response_id: str) -> PairVerdict:
    """Build a verdict on a pair, whose plans are in id order."""
    plan_a, plan_b = pair
    return PairVerdict(
        plan_a=plan_a,
        plan_b=plan_b,
        authority=authority,
        reason=reason,
        words=words,
        response_id=response_id,
        created_at=now(),
    )
