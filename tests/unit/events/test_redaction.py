"""Email addresses and telephone numbers are taken out of what comes in, whichever way it comes."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from events.plans import PLAN_PAYLOADS, PlanPublished, PlanWithdrawn
from events.redaction import RESPONSE_TEXTS, redact, redact_response, shorten_response, without_contacts
from events.responses import (
    RESPONSE_PAYLOADS,
    DocumentKind,
    ResponseConvened,
    ResponseDelegated,
    ResponseDocument,
    ResponseInvited,
    ResponseMembership,
    ResponsePayload,
    ResponseRoute,
    RouteOutcome,
    RouteStep,
)
from matching.policy import Policy
from matching.text.needs import build_phrase_index, find_needs
from services.ingest.entries import AcceptedEntry as ReadPlan
from services.ingest.entries import Options, plain
from services.ingest.jsonl import read_jsonl
from services.matcher.plan_decoding import PlanRecordAccepted, read
from tests.pipeline import record_of

CONTACTS = [
    ("Ask jo.o'brien+x@leeds.gov.uk.", "Ask [email removed]."),
    ("Ask [e-mail removed].", "Ask [email removed]."),
    ("Ring 0113 222 4444 or (0113) 222 4444", "Ring [telephone removed] or ([telephone removed]"),
    ("+44 (0) 20 7946 0018", "[telephone removed]"),
    ("07700900123", "[telephone removed]"),
    ("0044 20 7946 0018", "[telephone removed]"),
    (
        "Ring 0113.222.4444, 0113/222/4444 or 020 | 7946 | 0018",
        "Ring [telephone removed], [telephone removed] or [telephone removed]",
    ),
    ("0113_222_4444", "[telephone removed]"),
    ("0113\u2013222\u20114444", "[telephone removed]"),
    ("0044-113-222-4444 or +44-113-222-4444", "[telephone removed] or [telephone removed]"),
    ("+353 1 234 5678, +1 (202) 555-0147", "[telephone removed], [telephone removed]"),
    ("\uff10\uff11\uff11\uff13 222 4444 at \uff21", "[telephone removed] at \uff21"),
    ("joe\uff20leeds.gov.uk", "[email removed]"),
    ("01/04/2027-31/03/2030, 01.04.2027 to 31.03.2030", "01/04/2027-31/03/2030, 01.04.2027 to 31.03.2030"),
    ("Ref 0104/2027/2028, 012/345/678, +25 000 000", "Ref 0104/2027/2028, 012/345/678, +25 000 000"),
    ("Buses at 0900 2025-03-11", "Buses at 0900 2025-03-11"),
    ("Order 450-00001 of 2027-06-01 for 6,000 staff", "Order 450-00001 of 2027-06-01 for 6,000 staff"),
]
PLAN = PlanPublished.model_validate(
    {
        "plan_id": "E08000035:HR-1",
        "revision": 1,
        "authority": "E08000035",
        "title": "Payroll, jo@leeds.gov.uk",
        "description": "Ring 07700900123 for more.",
        "kind": "new",
        "tender_window": {"earliest": "2027-06-01", "latest": "2027-09-30"},
    }
)


@pytest.mark.parametrize(("text", "left"), CONTACTS[:2] + CONTACTS[4:])
def test_contacts_are_taken_out(text: str, left: str) -> None:
    assert without_contacts(text) == left
    assert without_contacts(left) == left


def test_what_replaces_a_contact_names_no_need() -> None:
    needs = build_phrase_index(Policy.load(None).concepts)
    assert find_needs("an e-mail service", needs)
    assert find_needs(without_contacts("Ask jo@leeds.gov.uk or ring 07700900123"), needs) == []


def test_readers_of_registers_use_the_same() -> None:
    for text, _ in CONTACTS:
        assert plain(text) == without_contacts(text)


def test_a_redacted_record_keeps_the_hash_of_the_original() -> None:
    item = read(record_of(PLAN), datetime.now(UTC))
    assert isinstance(item, PlanRecordAccepted)
    assert isinstance(item.payload, PlanPublished)
    assert (item.payload.title, item.payload.description) == (
        "Payroll, [email removed]",
        "Ring [telephone removed] for more.",
    )
    assert item.sent == PLAN


def test_the_short_fields_lose_them_too() -> None:
    given = {
        "quantity": {"unit": "users, ask jo@leeds.gov.uk", "amount": 5},
        "procurement": "0113 222 4444",
    }
    cleaned = redact(PlanPublished.model_validate(PLAN.model_dump() | given))
    assert isinstance(cleaned, PlanPublished)
    assert cleaned.quantity is not None
    assert cleaned.quantity.unit == "users, ask [email removed]"
    assert cleaned.procurement is None, "two such plans are not one purchase"
    kept = redact(PlanPublished.model_validate(PLAN.model_dump() | {"procurement": "ocds-b5fd17-0123456789"}))
    assert isinstance(kept, PlanPublished)
    assert kept.procurement == "ocds-b5fd17-0123456789"
    marked = redact(PlanPublished.model_validate(PLAN.model_dump() | {"procurement": "RFQ-2026/0123/456/7890"}))
    assert marked.procurement == "RFQ-2026/0123/456/7890"


def test_a_line_of_jsonl_loses_them(tmp_path: Path) -> None:
    file = tmp_path / "plans.jsonl"
    file.write_text(json.dumps(PLAN.model_dump(mode="json")))
    (entry,) = read_jsonl(file, Options())
    assert isinstance(entry, ReadPlan)
    assert entry.payload == redact(PLAN) != PLAN


def test_a_text_at_its_limit_stays_within_it() -> None:
    address = "a@b.cd "
    full = PLAN.model_copy(update={"title": address * 71, "description": address * 2857})
    redacted = redact(full)
    assert type(redacted).model_validate(redacted.model_dump()) == redacted


def test_reasons_are_texts_as_well_and_all_else_is_left_alone() -> None:
    gone = PlanWithdrawn(plan_id=PLAN.plan_id, revision=2, authority=PLAN.authority, reason="See jo@leeds.gov.uk")
    assert redact(gone).reason == "See [email removed]"
    clean = PLAN.model_copy(update={"title": "Payroll", "description": "Nothing personal"})
    assert redact(clean) is clean


def test_each_free_text_is_looked_at() -> None:
    from events.redaction import TEXTS

    free = {
        name
        for payload in PLAN_PAYLOADS
        for name, field in payload.model_fields.items()
        if field.annotation is str and any("_plain_text" in repr(rule) for rule in field.metadata)
    }
    assert free == TEXTS.keys()


def test_lots_lose_them() -> None:
    lots = ("Payroll for schools, ring 07700900123", "HR")
    redacted = redact(PLAN.model_copy(update={"lots": lots}))
    assert isinstance(redacted, PlanPublished)
    assert redacted.lots == ("Payroll for schools, ring [telephone removed]", "HR")


def _full(longest: int) -> str:
    """A text at its limit whose last words are an address: without it, the text is longer than before."""
    return "Specification ".ljust(longest - 7, "x") + " a@b.cd"


def test_lots_stay_within_their_limit() -> None:
    redacted = redact(PLAN.model_copy(update={"lots": (_full(300),)}))
    assert type(redacted).model_validate(redacted.model_dump()) == redacted


_SAID: dict[str, Any] = {
    "response_id": "response-1",
    "authority": "E08000035",
    "plan_id": "E08000035:1",
    "subject": "coalition",
    "subject_id": "a" * 32,
    "subject_revision": 1,
}
RESPONSES_AT_THEIR_LIMIT: Sequence[ResponsePayload] = (
    ResponseDocument(**_SAID, document=DocumentKind.OTHER, title=_full(200), url="https://files.example/a"),
    ResponseRoute(
        **_SAID,
        step=RouteStep.NEW,
        outcome=RouteOutcome.CHOSEN,
        asked_at=date(2026, 11, 26),
        by=_full(200),
        candidates=(_full(200), "x" * 200),
        note=_full(2000),
    ),
    ResponseInvited(**_SAID, scope=_full(2000), route=_full(2000)),
    ResponseMembership(**_SAID, act="commit", decided_by=_full(200)),
    ResponseConvened(**_SAID | {"plan_ids": ("E08000035:1", "E08000032:1")}, scope=_full(2000)),
)


@pytest.mark.parametrize("full", RESPONSES_AT_THEIR_LIMIT, ids=lambda payload: payload.type)
def test_texts_of_a_response_at_their_limit_stay_within_it(full: ResponsePayload) -> None:
    redacted = redact_response(full)
    assert "a@b.cd" not in redacted.model_dump_json()
    assert type(full).model_validate(redacted.model_dump()) == redacted
    longer = {name: f"{text}[email removed]" for name, text in redacted.model_dump().items() if name in RESPONSE_TEXTS}
    assert type(full).model_validate(shorten_response(redacted.model_dump() | longer)) == redacted


def test_each_free_text_of_a_response_is_looked_at() -> None:
    fields = [(name, field) for payload in RESPONSE_PAYLOADS for name, field in payload.model_fields.items()]
    free = {
        name
        for name, field in fields
        if field.annotation is str and any(said in repr(field.metadata) for said in ("_plain_text", "\\x1f"))
    }
    assert free == RESPONSE_TEXTS.keys()


def test_a_delegation_has_a_scope_that_is_no_text() -> None:
    days = {"starts_on": date(2026, 11, 26), "until": date(2027, 11, 26)}
    ended = ResponseDelegated(**_SAID, party="GB-X-OFFICE", scope=None, **days)
    assert redact_response(ended) is ended


def test_a_text_that_unicode_lengthens_can_be_read_again() -> None:
    title = "\u0958" * 500  # one letter whose normal form has two
    plan = PLAN.model_copy(update={"title": title})
    assert PlanPublished.model_validate(PlanPublished.model_validate(plan.model_dump()).model_dump()) == plan
