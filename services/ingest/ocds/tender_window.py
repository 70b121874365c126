"""Derives the tender window of an OCDS release from its dates, in order of trust."""

from datetime import date, timedelta
from itertools import chain

from events.fields import Window
from matching.calendar import add_months
from services.ingest.dates import AFTER_ENGAGEMENT, AROUND_NOTICE, BEFORE_CONTRACT, iso_day, window_before
from services.ingest.entries import RefusedError
from services.ingest.loose_json import Object, as_object, as_objects, as_text
from services.ingest.ocds.notices import tender_notice_day

Found = tuple[Window, str | None]
"""A window and, if it was inferred, a sentence on the rule."""


def tendering_window(release: Object, released: date) -> Found:
    """Return the days from the tender notice to the deadline for tenders. Raises RefusedError if the period ends before
    it starts."""
    period = as_object(as_object(release.get("tender")).get("tenderPeriod"))
    announced = min(tender_notice_day(release) or released, released)
    start, latest = iso_day(period.get("startDate")), iso_day(period.get("endDate"))
    if start and latest:
        _ordered(start, latest)
    earliest = max(start or announced, announced)
    if latest is None:
        rule = "the tender period has no end: the day of the notice is taken"
        return Window(earliest=earliest, latest=earliest), rule
    if latest < earliest:
        rule = "the tender period ends before its notice: the day of the notice is taken"
        return Window(earliest=earliest, latest=earliest), rule
    return Window(earliest=earliest, latest=latest), None


def planned_window(release: Object, released: date, start: date | None) -> Found:
    """Return the window for the expected tender notice: not before this notice, nor before the end of market
    engagement. `start` is the contract's first day. Raises RefusedError if no date gives it, or if two dates contradict
    each other."""
    tender = as_object(release.get("tender"))
    engaged = _milestone(release, "engagement")
    floor = max(released, engaged or released)
    if announced := iso_day(as_object(tender.get("communication")).get("futureNoticeDate")):
        return _announced(announced, released, floor, start)
    period = as_object(tender.get("tenderPeriod"))
    opens, closes = iso_day(period.get("startDate")), iso_day(period.get("endDate"))
    if first := opens or closes:
        window = _ordered(first, closes or add_months(first, AROUND_NOTICE[1]))
        if window.latest >= floor:
            return Window(earliest=max(window.earliest, floor), latest=window.latest), None
    signature = _milestone(release, "futureSignatureDate")
    begin = next((day for day in (start, signature) if day and day > floor), None)
    if begin:
        return _before(begin, floor, "contract start" if begin == start else "signature")
    if engaged and add_months(engaged, AFTER_ENGAGEMENT) >= floor:
        rule = f"tender window taken to be the {AFTER_ENGAGEMENT} months after the market engagement ends"
        return Window(earliest=floor, latest=add_months(engaged, AFTER_ENGAGEMENT)), rule
    raise RefusedError(
        "tender.communication.futureNoticeDate",
        "is missing, and nothing else says when the tender is expected after this notice (tenderPeriod, the "
        "contract's start, a futureSignatureDate or engagement milestone); give one of them",
    )


def _before(begin: date, floor: date, what: str) -> Found:
    usual = window_before(begin)
    rule = f"tender window taken to be {BEFORE_CONTRACT[0]} to {BEFORE_CONTRACT[1]} months before the {what}"
    if usual.earliest >= floor:
        return usual, rule
    if usual.latest >= floor:
        return Window(earliest=floor, latest=usual.latest), f"{rule}, and not before the notice or the engagement's end"
    rule = f"tender window taken from the notice, or the engagement's end, to the {what}"
    return Window(earliest=floor, latest=begin - timedelta(days=1)), rule


def _announced(announced: date, released: date, floor: date, start: date | None) -> Found:
    field = "tender.communication.futureNoticeDate"
    if start and announced >= start:
        raise RefusedError(
            field, f"({announced}) is not before the contract's start ({start}): one of the two is wrong; correct it"
        )
    latest = add_months(announced, AROUND_NOTICE[1])
    if latest < released:
        raise RefusedError(
            field, f"({announced}) is long before the notice itself ({released}); give the day now expected"
        )
    earliest = max(add_months(announced, -AROUND_NOTICE[0]), floor)
    rule = f"tender window taken from {AROUND_NOTICE[0]} month before to {AROUND_NOTICE[1]} after the announced notice"
    return Window(earliest=earliest, latest=max(earliest, latest)), rule


def _ordered(earliest: date, latest: date) -> Window:
    if latest < earliest:
        raise RefusedError("tender.tenderPeriod", f"ends ({latest}) before it starts ({earliest})")
    return Window(earliest=earliest, latest=latest)


def _milestone(release: Object, kind: str) -> date | None:
    holders = (as_object(release.get("tender")), as_object(release.get("planning")))
    found = chain.from_iterable(as_objects(holder.get("milestones")) for holder in holders)
    days = [iso_day(milestone.get("dueDate")) for milestone in found if as_text(milestone.get("type")) == kind]
    return max((day for day in days if day), default=None)
