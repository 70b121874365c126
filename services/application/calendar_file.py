"""Writes deadlines as a calendar file, to subscribe to or open once (RFC 5545): all-day events with alarms."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from icalendar import Alarm, Calendar, Event

from services.application.list_items import DeadlineItem
from services.domain.authority_deadlines import DeadlineKind, DeadlineStatus

ALARMS: Final = (timedelta(days=-14), timedelta(days=-3))
REFRESH: Final = timedelta(hours=6)
SUMMARIES: Final = {
    DeadlineKind.REPLY_BY: "Reply by today",
    DeadlineKind.DECIDE_BY: "Decide together by today",
    DeadlineKind.TOGETHER_FROM: "Tender together from today",
    DeadlineKind.CONTRACT_END: "Contract ends",
}
_DAY: Final = timedelta(days=1)


def to_ics(items: Sequence[DeadlineItem], public_url: str) -> bytes:
    """Build the calendar file. The same items give the same bytes, so a client can be told that nothing changed.

    When a date moves, its event keeps its UID and SEQUENCE rises. Cancelled events stay in the file, so that calendars
    remove them.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Jointly//Deadlines//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("name", "Jointly")
    calendar.add("x-wr-calname", "Jointly")
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT6H")
    for item in items:
        calendar.add_component(_event(item, public_url.rstrip("/")))
    content: bytes = calendar.to_ical()
    return content


def _event(item: DeadlineItem, public_url: str) -> Event:
    event = Event()
    summary = f"{SUMMARIES[item.kind]}: {item.title}"
    event.add("uid", item.uid)
    event.add("sequence", item.sequence)
    event.add("dtstamp", item.updated_at)
    event.add("last-modified", item.updated_at)
    event.add("dtstart", item.day)
    event.add("dtend", item.day + _DAY)
    event.add("summary", summary)
    event.add("status", item.status.value.upper())
    event.add("transp", "TRANSPARENT")
    lines = [f"Plan {item.plan_id}."]
    if item.partners:
        lines.append(f"With {', '.join(item.partners)}.")
    if item.coalition_id is not None and public_url:
        event.add("url", f"{public_url}/c/{item.coalition_id}")
    event.add("description", "\n".join(lines))
    if item.status is not DeadlineStatus.CANCELLED:
        for before in ALARMS:
            event.add_component(_alarm(before, summary))
    return event


def _alarm(before: timedelta, summary: str) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("trigger", before)
    alarm.add("description", summary)
    return alarm
