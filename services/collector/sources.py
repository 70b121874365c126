"""The feeds: their addresses, parameters and refusals."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import quote, urlencode, urljoin, urlsplit

from services.platform.clock import LONDON

WINDOW_HOURS: Final = 6
"""The length of a window. Longer windows lose releases without an error; six hours do not."""
OVERLAP: Final = timedelta(hours=2)
"""Each round begins this long before the last one ended, because notices appear late."""
PAGE_SIZE: Final = 100


class SourceName(StrEnum):
    """The feeds, by their names in settings and metrics."""

    FIND_A_TENDER = "find-a-tender"
    CONTRACTS_FINDER = "contracts-finder"


@dataclass(frozen=True, slots=True)
class Source:
    """One feed. `refusals` are the statuses that mean "later"; `wait_seconds` applies if the feed gives no time."""

    name: SourceName
    base: str
    search: str
    process: str
    parameters: tuple[str, str]
    refusals: frozenset[int]
    wait_seconds: int
    notice_page: str

    def window_url(self, window: "Window") -> str:
        """Return the address of a window's first page."""
        since, until = self.parameters
        query = {since: _local(window.since), until: _local(window.until), "limit": str(PAGE_SIZE)}
        return f"{urljoin(self.base, self.search)}?{urlencode(query)}"

    def process_url(self, ocid: str) -> str:
        """Return the address of all releases of one contracting process."""
        return urljoin(self.base, self.process.format(quote(ocid, safe="")))

    def notice_url(self, release_id: str) -> str:
        """Return the public web page of a notice."""
        return self.notice_page.format(quote(release_id, safe=""))

    def holds(self, url: str) -> bool:
        """Return whether an address is the feed's own. No other is requested."""
        mine, other = urlsplit(self.base), urlsplit(url)
        return (mine.scheme, mine.netloc) == (other.scheme, other.netloc) and not other.username


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, both ends with their time zone."""

    since: datetime
    until: datetime


def find_a_tender(base: str) -> Source:
    """Find a Tender: all notices of the Procurement Act 2023, and those above threshold before it."""
    return Source(
        name=SourceName.FIND_A_TENDER,
        base=base,
        search="/api/1.0/ocdsReleasePackages",
        process="/api/1.0/ocdsReleasePackages/{}",
        parameters=("updatedFrom", "updatedTo"),
        refusals=frozenset({429, 502, 503, 504}),
        wait_seconds=120,
        notice_page="https://www.find-tender.service.gov.uk/Notice/{}",
    )


def contracts_finder(base: str) -> Source:
    """Contracts Finder: procurements under the regulations of 2015."""
    return Source(
        name=SourceName.CONTRACTS_FINDER,
        base=base,
        search="/Published/Notices/OCDS/Search",
        process="/Published/OCDS/Record/{}",
        parameters=("publishedFrom", "publishedTo"),
        refusals=frozenset({403, 429, 502, 503, 504}),
        wait_seconds=300,
        notice_page="https://www.contractsfinder.service.gov.uk/Notice/{}",
    )


def first_moment(collected_to: datetime) -> datetime:
    """Return the start of a round: the start of the window two hours before the last round ended."""
    return _window_start(collected_to - OVERLAP)


def window_from(begin: datetime, now: datetime) -> Window | None:
    """Return the window that begins at a moment, None if it is not past. Windows end at 0, 6, 12 and 18 o'clock in the
    United Kingdom, so none is missing or doubled when the clocks change."""
    if begin >= now:
        return None
    end = _window_start(begin).astimezone(LONDON) + timedelta(hours=WINDOW_HOURS)
    return Window(begin, min(end.astimezone(UTC), now))


def _window_start(at: datetime) -> datetime:
    local = at.astimezone(LONDON)
    start = local.replace(hour=local.hour - local.hour % WINDOW_HOURS, minute=0, second=0, microsecond=0, fold=0)
    return start.astimezone(UTC)


def _local(at: datetime) -> str:
    """Format a time for the feeds: UK local time without an offset."""
    return at.astimezone(LONDON).strftime("%Y-%m-%dT%H:%M:%S")
