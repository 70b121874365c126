"""Loads the records behind the programme's measures, in one snapshot."""

from datetime import date
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from events.plans import PlanAwarded, PlanWithdrawn
from events.responses import EnquiryAnswer, RouteStep
from events.topics import NOTICES
from matching.reference import display_name
from services.domain.charter_scope import is_ict
from services.domain.coalition_answers import ResponseOutcome
from services.domain.disclosure import pounds_of
from services.domain.programme.records import (
    ProgrammeRevision,
    RecordedAnswer,
    RecordedDecision,
    RecordedEnquiry,
    RecordedPair,
    RevisionKind,
    SentEmail,
    SharedContract,
    Signatory,
)
from services.domain.programme.report import Records
from services.store import authorities
from services.store.benchmark_requests import BenchmarkRequestRow
from services.store.responses import ResponseRow
from services.store.sharing import shared_sql

_WIDER: Final = ("signatories", "public")
_KINDS: Final = {PlanWithdrawn.type: RevisionKind.WITHDRAWN, PlanAwarded.type: RevisionKind.AWARDED}
# Days are United Kingdom days.
_REVISIONS: Final = text(
    "SELECT plan_id, split_part(plan_id, ':', 1) AS authority, event_type,"  # noqa: S608 (ours)
    " (received_at AT TIME ZONE 'Europe/London')::date AS day, origin ->> 'topic' AS topic,"
    f" payload ? 'sharing' AS has_content, {shared_sql('payload')} AS shared, payload ->> 'stage' AS stage,"
    " payload #>> '{tender_window,earliest}' AS earliest, payload -> 'value' AS value,"
    " payload ->> 'procurement' AS procurement, payload -> 'cpv' AS cpv"
    " FROM plan_log WHERE annulled_by IS NULL ORDER BY id"
)
_PAIRS: Final = text(
    "SELECT opportunity_id, plan_a, plan_b, band, (created_at AT TIME ZONE 'Europe/London')::date AS found_on,"
    " CASE WHEN status = 'active' THEN NULL ELSE (updated_at AT TIME ZONE 'Europe/London')::date END AS ended_on"
    " FROM opportunities ORDER BY opportunity_id"
)
_EMAILS: Final = text(
    "SELECT plan_id, on_day FROM ("
    " SELECT CASE WHEN o.authority_a = i.authority THEN o.plan_a ELSE o.plan_b END AS plan_id,"
    "  (m.updated_at AT TIME ZONE 'Europe/London')::date AS on_day FROM notification_intents i"
    "  JOIN notification_mails m ON m.mail_id = i.mail_id AND m.state = 'sent'"
    "  JOIN opportunities o ON o.opportunity_id = i.opportunity_id"
    " UNION SELECT n.plan_id, (m.updated_at AT TIME ZONE 'Europe/London')::date FROM coalition_notices n"
    "  JOIN notification_mails m ON m.mail_id = n.mail_id AND m.state = 'sent') told"
    " ORDER BY on_day, plan_id"
)


_DECISIONS: Final = text(
    "SELECT subject_id, payload ->> 'decision', received_on FROM responses"
    " WHERE kind = 'decided' AND outcome = 'recorded' ORDER BY received_at, response_id"
)
_ENQUIRIES: Final = text(
    "SELECT request_id, authority, asked_on AS day, NULL AS answer, NULL AS received_at FROM benchmark_enquiries"
    " UNION ALL SELECT subject_id, authority, received_on, payload ->> 'outcome', received_at FROM responses"
    " WHERE kind = 'enquiry' AND outcome = 'recorded' ORDER BY received_at NULLS FIRST, request_id, authority"
)
_CONTRACTS: Final = text(
    "SELECT contract_id, (received_at AT TIME ZONE 'Europe/London')::date AS day, payload FROM contracts"
    " WHERE payload IS NOT NULL ORDER BY contract_id"
)


async def load_records(session: AsyncSession) -> Records:
    """Load all records. The session must read one snapshot."""
    return Records(
        revisions=[_revision(row) for row in await session.execute(_REVISIONS)],
        register=[to_signatory(row) for row in await authorities.all_authorities(session)],
        answers=await _answers(session),
        pairs=[
            RecordedPair(row.opportunity_id, (row.plan_a, row.plan_b), row.band, row.found_on, row.ended_on)
            for row in await session.execute(_PAIRS)
        ],
        emails=[SentEmail(row.plan_id, row.on_day) for row in await session.execute(_EMAILS)],
        requests=[row.request for row in (await session.execute(select(BenchmarkRequestRow))).scalars()],
        decisions=[RecordedDecision(*row) for row in await session.execute(_DECISIONS)],
        enquiries=[_enquiry(row) for row in await session.execute(_ENQUIRIES)],
        contracts=[_contract(row) for row in await session.execute(_CONTRACTS)],
    )


def to_signatory(row: authorities.Authority) -> Signatory:
    """Convert an authority of the register into a signatory."""
    return Signatory(
        authority=row.authority,
        name=row.name if row.name != row.authority else display_name(row.authority),
        position=row.signatory or "",
        signed_on=row.signed_on,
        lapsed_on=row.lapsed_on,
        withdrawn_on=row.withdrawn_on,
        mailbox=row.mailbox is not None,
    )


def _revision(row: Any) -> ProgrammeRevision:
    kind = _KINDS.get(row.event_type, RevisionKind.STATE)
    common = {"plan_id": row.plan_id, "authority": row.authority, "on": row.day, "kind": kind}
    own = row.topic != NOTICES.name
    if not row.has_content:
        return ProgrammeRevision(**common, own=own)
    return ProgrammeRevision(
        **common,
        own=own,
        shared=row.shared,
        tendering=row.stage == "tendering",
        earliest=date.fromisoformat(row.earliest),
        value=pounds_of(row.value),
        procurement=row.procurement,
        ict=is_ict(row.cpv or ()),
    )


def _enquiry(row: Any) -> RecordedEnquiry:
    answer = EnquiryAnswer(row.answer) if row.answer else None
    return RecordedEnquiry(row.request_id, row.authority, row.day, answer)


def _contract(row: Any) -> SharedContract:
    opens = row.payload.get("sharing") or {}
    signatories, public = (date.fromisoformat(day) if (day := opens.get(tier)) else None for tier in _WIDER)
    return SharedContract(
        contract_id=row.contract_id,
        on=row.day,
        has_prices=bool(row.payload.get("prices")),
        is_withheld=row.payload.get("withheld") is not None,
        is_rated=bool(row.payload.get("performance")),
        # A tier without a day opens with the next wider one.
        signatories_from=signatories or public,
        public_from=public,
    )


async def _answers(session: AsyncSession) -> list[RecordedAnswer]:
    found = await session.execute(
        select(ResponseRow)
        .where(col(ResponseRow.outcome) == ResponseOutcome.RECORDED)
        .order_by(col(ResponseRow.received_at), col(ResponseRow.response_id))
    )
    rows = found.scalars().all()
    days = {(row.authority, row.response_id): row.received_on for row in rows if row.kind == "undone"}
    return [_answer(row, days.get((row.authority, row.undone_by or ""))) for row in rows]


def _answer(row: ResponseRow, undone_on: date | None) -> RecordedAnswer:
    said = row.payload
    return RecordedAnswer(
        response_id=row.response_id,
        authority=row.authority,
        plan_id=row.plan_id or "",
        subject=row.subject,
        subject_id=row.subject_id,
        kind=row.kind,
        on=row.received_on,
        reason=said.get("reason") if "answer" in said else None,
        undone_on=undone_on,
        reply_by=row.reply_by,
        asked=tuple(row.asked or ()),
        about=tuple(row.about or ()),
        acting_party=said.get("acting_party"),
        route_step=RouteStep(said["step"]) if "step" in said else None,
    )
