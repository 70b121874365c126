"""A request for a benchmark, and cells that may answer it."""

from dataclasses import replace
from datetime import date

from events.contracts import WithheldReason
from services.domain.benchmark_cells import BenchmarkCell, CellKey, PriceStep, Quarter, SizeClass, Suppression
from services.domain.benchmark_requests import BenchmarkRequest, request_benchmark

TODAY = date(2026, 12, 3)
DUE = date(2026, 12, 17)
END = date(2027, 3, 31)
KEY = CellKey("48450", "user-year", SizeClass.FROM_1000)
SHOWN = BenchmarkCell(KEY, Quarter(2026, 3), authorities=5, suppliers=3, median=PriceStep(58))
SUPPRESSED = BenchmarkCell(KEY, Quarter(2026, 3), Suppression.FEW_AUTHORITIES)
WITHHELD = replace(SUPPRESSED, withheld={WithheldReason.SENSITIVE: 2})


def request(months: int = 13, first_end: date = END) -> BenchmarkRequest | None:
    """What an extension asks for, None where it asks for nothing."""
    ends = (first_end, END)
    return request_benchmark("0" * 32, "E08000035:X", category="48450", months=months, ends=ends, today=TODAY)


def made() -> BenchmarkRequest:
    """The request of thirteen months."""
    found = request()
    assert found is not None
    return found
