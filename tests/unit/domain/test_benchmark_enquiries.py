"""Whom a benchmark request is put to, until when, and which answers count."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from events.benchmarks import ExtensionDecision
from events.responses import EnquiryAnswer
from matching.plan import Status
from services.domain.benchmark_enquiries import (
    MAX_ASKED,
    Enquiry,
    Holder,
    answer_enquiry,
    choose_holders,
    contract_problem,
    is_wanted,
    may_ask,
    reminder_day,
    tally,
)
from services.domain.benchmark_requests import (
    BenchmarkNotice,
    BenchmarkRequest,
    BenchmarkStatus,
    Tally,
    answer_request,
    decide,
    due_notices,
)
from services.domain.coalition_answers import AnswerRefusedError, RefusalReason
from services.domain.disclosure import Requester, shown_requester
from tests.support.contracts import contract
from tests.unit.domain.benchmark_requests import DUE, SHOWN, TODAY, WITHHELD, made

HALF_TIME, AFTER = date(2026, 12, 10), date(2026, 12, 18)
BRADFORD, KIRKLEES = "E08000032", "E08000034"
SUPPLIED, NONE_AVAILABLE = EnquiryAnswer.SUPPLIED, EnquiryAnswer.NONE_AVAILABLE


def enquiry(authority: str = BRADFORD, asked_on: date = TODAY, **changes: Any) -> Enquiry:
    """Bradford is asked about its contract."""
    made_ = Enquiry(made().request_id, authority, f"{authority}:C-1", asked_on, DUE)
    return replace(made_, **changes)


def test_those_asked_longest_ago_come_first() -> None:
    own, asked = Holder(made().authority, "own"), Holder("A", "A:1")
    recent, long_ago, never = Holder("B", "B:1", TODAY), Holder("C", "C:1", date(2026, 1, 5)), Holder("D", "D:1")
    often = Holder("AA", "AA:1", TODAY, times_asked=2)
    found = choose_holders(made(), [own, often, recent, asked, long_ago, never], {"A"}, TODAY)
    assert [one.authority for one in found] == ["D", "C", "B", "AA"]
    assert {one.due_on for one in found} == {DUE}


def test_a_request_is_put_to_eight_authorities_at_most() -> None:
    holders = [Holder(f"E{number:02}", "contract") for number in range(20)]
    first = choose_holders(made(), holders, (), TODAY)
    assert len(first) == MAX_ASKED
    assert choose_holders(made(), holders, {one.authority for one in first}, TODAY) == []
    assert len(choose_holders(made(), holders, {"E00", "E01", "E02"}, TODAY)) == MAX_ASKED - 3


def test_it_asks_until_half_time_unless_answered() -> None:
    assert may_ask(made(), TODAY)
    assert may_ask(made(), HALF_TIME)
    assert not may_ask(made(), date(2026, 12, 11))
    assert not may_ask(answer_request(made(), [SHOWN], Tally(), TODAY), TODAY)
    assert not may_ask(decide(made(), ExtensionDecision.EXTEND, TODAY), TODAY)


def test_a_request_that_eight_were_asked_about_looks_for_nobody() -> None:
    assert may_ask(replace(made(), others=Tally(MAX_ASKED - 1)), TODAY)
    assert not may_ask(replace(made(), others=Tally(MAX_ASKED)), TODAY)


def test_a_reminder_comes_half_way_between_question_and_due_day() -> None:
    assert reminder_day(enquiry()) == HALF_TIME
    assert reminder_day(enquiry(asked_on=HALF_TIME)) == date(2026, 12, 14)


@pytest.mark.parametrize(
    ("others", "cells", "today", "status"),
    [
        (Tally(3, 2, 2), [], DUE, BenchmarkStatus.REQUESTED),
        (Tally(3, 3, 1), [], TODAY, BenchmarkStatus.SUPPLIED),
        (Tally(3, 2, 1), [], AFTER, BenchmarkStatus.SUPPLIED),
        (Tally(2, 2, 0, 1), [], TODAY, BenchmarkStatus.WITHHELD),
        (Tally(2, 2), [], TODAY, BenchmarkStatus.NONE_AVAILABLE),
        (Tally(2, 2), [WITHHELD], TODAY, BenchmarkStatus.WITHHELD),
        (Tally(2, 0), [], DUE, BenchmarkStatus.REQUESTED),
        (Tally(2, 0), [], AFTER, BenchmarkStatus.NONE_AVAILABLE),
        (Tally(2, 0), [SHOWN], TODAY, BenchmarkStatus.SUPPLIED),
        (Tally(), [], TODAY, BenchmarkStatus.REQUESTED),
    ],
)
def test_the_request_waits_for_all_until_the_due_day(
    others: Tally, cells: list[Any], today: date, status: BenchmarkStatus
) -> None:
    found = answer_request(made(), cells, others, today)
    assert (found.status, found.others) == (status, others)


def test_the_tally_counts_each_answer() -> None:
    said = [*EnquiryAnswer, None]
    assert tally([enquiry(answer=one) for one in said]) == Tally(asked=4, answers=3, supplied=1, withheld=1)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"sharing": {"public": "2026-07-01"}}, None),
        ({"cpv": ["72260000"]}, "not in the category"),
        ({"cpv": []}, "not in the category"),
        ({"prices": []}, "without prices"),
        ({"sharing": {"coalition": "2026-07-01"}}, "not open to signatories"),
        ({"sharing": {"signatories": "2027-01-04"}}, "opens to signatories on 4 January 2027"),
    ],
)
def test_an_answer_names_an_open_contract_of_the_category(changes: dict[str, Any], problem: str | None) -> None:
    found = contract_problem(contract(BRADFORD, **changes), "48450", TODAY)
    assert found is None if problem is None else problem in (found or "")


def test_an_answer_replaces_an_earlier_one() -> None:
    shared = contract(BRADFORD)
    first = answer_enquiry(enquiry(), made(), SUPPLIED, shared, TODAY)
    assert (first.answer, first.contract_id, first.answered_on) == (SUPPLIED, shared.contract_id, TODAY)
    second = answer_enquiry(first, made(), NONE_AVAILABLE, None, DUE)
    assert (second.answer, second.contract_id, second.answered_on) == (NONE_AVAILABLE, None, DUE)


@pytest.mark.parametrize(
    ("asked", "request_", "today", "answer", "reason"),
    [
        (None, made(), TODAY, NONE_AVAILABLE, RefusalReason.UNKNOWN_SUBJECT),
        (enquiry(), made(), AFTER, NONE_AVAILABLE, RefusalReason.STALE),
        (enquiry(), answer_request(made(), [SHOWN], Tally(), TODAY), TODAY, NONE_AVAILABLE, RefusalReason.STALE),
        (enquiry(), made(), TODAY, SUPPLIED, RefusalReason.NOT_ALLOWED),
    ],
)
def test_an_answer_that_does_not_count_is_refused(
    asked: Enquiry | None, request_: BenchmarkRequest, today: date, answer: EnquiryAnswer, reason: RefusalReason
) -> None:
    with pytest.raises(AnswerRefusedError) as refused:
        answer_enquiry(asked, request_, answer, None, today)
    assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("asked", "request_", "plan", "wanted"),
    [
        (enquiry(), made(), Status.ACTIVE, True),
        (enquiry(answer=NONE_AVAILABLE), made(), Status.ACTIVE, False),
        (enquiry(), decide(made(), ExtensionDecision.TENDER, TODAY), Status.ACTIVE, False),
        (enquiry(), made(), Status.WITHDRAWN, False),
        (enquiry(), made(), Status.AWARDED, False),
    ],
)
def test_an_email_asks_only_while_an_answer_helps(
    asked: Enquiry, request_: BenchmarkRequest, plan: Status, wanted: bool
) -> None:
    assert is_wanted(asked, request_, plan, HALF_TIME) is wanted


def test_the_requester_hears_once_others_have_answered() -> None:
    def kinds(request: BenchmarkRequest) -> list[BenchmarkNotice]:
        return [kind for kind, _ in due_notices(request, Status.ACTIVE, TODAY)]

    assert BenchmarkNotice.ANSWERS in kinds(answer_request(made(), [], Tally(1, 1, 1), TODAY))
    assert BenchmarkNotice.ANSWERS not in kinds(answer_request(made(), [], Tally(2, 1, 1), TODAY))
    assert BenchmarkNotice.ANSWERS not in kinds(answer_request(made(), [SHOWN], Tally(), TODAY))


@pytest.mark.parametrize(
    ("sharing", "shown"),
    [
        ("open", Requester(KIRKLEES, "HR", "Northmoor Ltd")),
        ("match_only", Requester()),
        ("private", None),
    ],
)
def test_a_requester_shows_what_its_plan_shares(sharing: str, shown: Requester | None) -> None:
    state = {"sharing": sharing, "title": "HR", "current_contract": {"supplier": "Northmoor Ltd"}}
    assert shown_requester(KIRKLEES, state) == shown
    assert shown_requester(KIRKLEES, None) is None
