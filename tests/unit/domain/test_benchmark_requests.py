"""When an extension asks for a benchmark, until when, and what answers it."""

from datetime import date

import pytest

from events.benchmarks import ExtensionDecision
from matching.plan import Status
from services.domain.benchmark_cells import BenchmarkCell
from services.domain.benchmark_requests import (
    BenchmarkStatus,
    Tally,
    answer_request,
    decide,
    is_overdue,
    is_without_benchmark,
    months_past,
)
from tests.unit.domain.benchmark_requests import DUE, END, SHOWN, SUPPRESSED, TODAY, WITHHELD, made, request


@pytest.mark.parametrize(
    ("first_end", "end", "months"),
    [
        (date(2026, 3, 31), date(2026, 3, 31), 0),
        (date(2026, 3, 31), date(2027, 2, 28), 11),
        (date(2026, 9, 30), date(2026, 10, 31), 1),
        (date(2026, 3, 15), date(2026, 4, 16), 2),
        (date(2026, 3, 15), date(2026, 4, 14), 1),
        (date(2026, 3, 15), date(2026, 1, 1), 0),
    ],
)
def test_months_past_the_first_end(first_end: date, end: date, months: int) -> None:
    assert months_past(first_end, end) == months


@pytest.mark.parametrize(
    ("months", "first_end", "total"),
    [
        (12, END, None),
        (13, END, 13),
        (11, date(2026, 4, 30), 22),
        (1, date(2026, 3, 31), 13),
        (1, date(2026, 4, 30), None),
    ],
)
def test_all_extensions_together_count(months: int, first_end: date, total: int | None) -> None:
    found = request(months, first_end)
    assert (found.months if found else None) == total


def test_it_is_due_in_ten_working_days() -> None:
    assert made().due_on == DUE


@pytest.mark.parametrize(
    ("cells", "today", "status"),
    [
        ([SHOWN], TODAY, BenchmarkStatus.SUPPLIED),
        ([SUPPRESSED, SHOWN], TODAY, BenchmarkStatus.SUPPLIED),
        ([SUPPRESSED], DUE, BenchmarkStatus.REQUESTED),
        ([], DUE, BenchmarkStatus.REQUESTED),
        ([], date(2026, 12, 18), BenchmarkStatus.NONE_AVAILABLE),
        ([SUPPRESSED], date(2026, 12, 18), BenchmarkStatus.NONE_AVAILABLE),
        ([WITHHELD], date(2026, 12, 18), BenchmarkStatus.WITHHELD),
    ],
)
def test_cells_answer_and_else_the_due_day(cells: list[BenchmarkCell], today: date, status: BenchmarkStatus) -> None:
    answered = answer_request(made(), cells, Tally(), today)
    assert answered.status is status
    assert (answered.answered_on is None) is (status is BenchmarkStatus.REQUESTED)


def test_an_answer_stands() -> None:
    none = answer_request(made(), [], Tally(), date(2026, 12, 18))
    assert answer_request(none, [SHOWN], Tally(), date(2027, 1, 5)) == none


@pytest.mark.parametrize(
    ("decided", "plan", "today", "overdue", "without"),
    [
        (False, Status.ACTIVE, DUE, False, False),
        (False, Status.ACTIVE, date(2026, 12, 18), True, False),
        (False, Status.ACTIVE, date(2027, 4, 1), True, True),
        (False, Status.AWARDED, TODAY, False, True),
        (False, Status.WITHDRAWN, date(2027, 4, 1), False, False),
        (True, Status.AWARDED, date(2027, 4, 1), False, False),
        (True, Status.ACTIVE, date(2027, 4, 1), False, False),
    ],
)
def test_what_went_ahead_without_a_benchmark(
    decided: bool, plan: Status, today: date, overdue: bool, without: bool
) -> None:
    found = decide(made(), ExtensionDecision.EXTEND, TODAY) if decided else made()
    assert (is_overdue(found, plan, today), is_without_benchmark(found, plan, today)) == (overdue, without)
