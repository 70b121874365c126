"""Windows of six hours on the clocks of the United Kingdom, and the addresses that are followed."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest

from services.collector.sources import LONDON, contracts_finder, find_a_tender, first_moment, window_from

FTS = find_a_tender("https://feed.example")


def _all(begin: datetime, now: datetime) -> list[tuple[datetime, datetime]]:
    found = []
    while window := window_from(begin, now):
        found.append((window.since, window.until))
        begin = window.until
    return found


@pytest.mark.parametrize("day", ["2026-11-29", "2026-03-29", "2026-10-25"])
def test_a_day_of_changing_clocks_is_covered_without_gaps(day: str) -> None:
    begin = datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=LONDON).astimezone(UTC)
    end = (begin.astimezone(LONDON) + timedelta(days=1)).astimezone(UTC)
    windows = _all(begin, end)
    assert len(windows) == 4
    assert (windows[0][0], windows[-1][1]) == (begin, end)
    assert all(one[1] == two[0] for one, two in pairwise(windows))
    queries = [parse_qs(urlsplit(FTS.window_url(window)).query) for window in map(_window, windows)]  # type: ignore[arg-type]
    assert [query["updatedFrom"][0][11:] for query in queries] == ["00:00:00", "06:00:00", "12:00:00", "18:00:00"]


def _window(span: tuple[datetime, datetime]) -> object:
    return window_from(span[0], span[1])


def test_the_last_window_ends_now() -> None:
    now = datetime(2026, 11, 29, 15, 20, tzinfo=UTC)
    assert _all(datetime(2026, 11, 29, 12, tzinfo=UTC), now) == [(datetime(2026, 11, 29, 12, tzinfo=UTC), now)]
    assert window_from(now, now) is None


def test_a_round_begins_before_what_was_collected() -> None:
    assert first_moment(datetime(2026, 11, 29, 13, tzinfo=UTC)) == datetime(2026, 11, 29, 6, tzinfo=UTC)
    assert first_moment(datetime(2026, 11, 29, 15, tzinfo=UTC)) == datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "followed"),
    [
        ("https://feed.example/api?cursor=x", True),
        ("https://feed.example.evil.example/api", False),
        ("https://feed.example@evil.example/api", False),
        ("https://user@feed.example/api", False),
        ("http://feed.example/api", False),
        ("https://feed.example:8443/api", False),
        ("/api?cursor=x", False),
    ],
)
def test_only_the_feed_s_own_addresses_are_followed(url: str, followed: bool) -> None:
    assert FTS.holds(url) is followed


def test_contracts_finder_has_parameters_of_its_own() -> None:
    window = window_from(datetime(2026, 11, 29, tzinfo=UTC), datetime(2026, 11, 29, 3, tzinfo=UTC))
    assert window
    assert "publishedFrom=2026-11-29T00%3A00%3A00" in contracts_finder("https://feed.example").window_url(window)
