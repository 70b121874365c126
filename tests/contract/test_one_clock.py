"""Only `services/platform/clock.py` asks the system for the time, so a rehearsal of other days moves everything."""

import ast
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from services.platform import clock

ROOT = Path(__file__).parents[2]
ASKS = {"now", "utcnow", "today", "time", "time_ns"}
MODULES = {"datetime", "date", "time"}


def _asks(source: str) -> Iterator[int]:
    """The lines that ask the system for the day or the time."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in MODULES and name in ASKS:
                yield node.lineno


@pytest.mark.parametrize("package", ["services", "matching", "events"])
def test_nothing_else_asks_the_system_for_the_time(package: str) -> None:
    files = [file for file in sorted((ROOT / package).rglob("*.py")) if file != Path(clock.__file__)]
    assert files
    assert [f"{file.relative_to(ROOT)}:{line}" for file in files for line in _asks(file.read_text("utf-8"))] == []


@pytest.mark.parametrize("line", ["datetime.now(UTC)", "date.today()", "time.time()", "read = datetime.now"])
def test_the_search_finds_what_it_looks_for(line: str) -> None:
    assert list(_asks(f"import time\n{line}")) == [2]


def test_the_day_is_that_of_the_clock_in_london(monkeypatch: pytest.MonkeyPatch) -> None:
    late_evening = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)
    monkeypatch.setattr(clock.CLOCK, "read", lambda: late_evening)
    assert clock.now() == late_evening
    assert clock.today(None) == date(2026, 7, 1)
    assert clock.today(date(2026, 1, 5)) == date(2026, 1, 5)
