"""When the tender of an OCDS release is expected: the dates that say so, in order of trust."""

from datetime import date
from itertools import chain

from events.fields import Window
from services.ingest.dates import AFTER_ENGAGEMENT, AROUND_NOTICE, BEFORE_CONTRACT, add_months, iso_day, window_before
from services.ingest.entries import RefusedError
from services.ingest.loose_json import Object, obj, objects, text

Found = tuple[Window, str | None]
"""A window and, where a rule made it, the rule as a sentence."""


def tendering_window(tender: Object, released: date) -> Found:
    """From the notice to the last day for tenders. Raises RefusedError where they are the wrong way round."""
    period = obj(tender.get("tenderPeriod"))
    earliest = iso_day(period.get("startDate")) or released
    latest = iso_day(period.get("endDate"))
    if latest is None:
        return Window(
            earliest=earliest, latest=earliest
        ), "the tender period has no end: the day of the notice is taken"
    if latest < earliest:
        raise RefusedError("tender.tenderPeriod", f"ends ({latest}) before it starts ({earliest})")
    return Window(earliest=earliest, latest=latest), None


def planned_window(release: Object, tender: Object, released: date, start: date | None) -> Found:
    """Between which days the tender notice is expected; `start` is the contract's first day. Raises RefusedError
    where no date says so, or where two contradict each other."""
    if announced := iso_day(obj(tender.get("communication")).get("futureNoticeDate")):
        return _announced(announced, released, start)
    period = obj(tender.get("tenderPeriod"))
    opens, closes = iso_day(period.get("startDate")), iso_day(period.get("endDate"))
    if first := opens or closes:
        return _ordered(first, closes or add_months(first, AROUND_NOTICE[1])), None
    signature = _milestone(release, tender, "futureSignatureDate")
    if begin := start or signature:
        what = "contract start" if start else "signature"
        rule = f"tender window taken to be {BEFORE_CONTRACT[0]} to {BEFORE_CONTRACT[1]} months before the {what}"
        return window_before(begin), rule
    if ends := _milestone(release, tender, "engagement"):
        rule = f"tender window taken to be the {AFTER_ENGAGEMENT} months after the market engagement ends"
        return Window(earliest=ends, latest=add_months(ends, AFTER_ENGAGEMENT)), rule
    raise RefusedError(
        "tender.communication.futureNoticeDate",
        "is missing, and nothing else says when the tender is expected (tenderPeriod, the contract's start, a "
        "futureSignatureDate or engagement milestone); give one of them",
    )


def _announced(announced: date, released: date, start: date | None) -> Found:
    if start and announced >= start:
        raise RefusedError(
            "tender.communication.futureNoticeDate",
            f"({announced}) is after the contract's start ({start}): one of the two is wrong; correct it",
        )
    latest = add_months(announced, AROUND_NOTICE[1])
    if latest < released:
        raise RefusedError(
            "tender.communication.futureNoticeDate",
            f"({announced}) is long before the notice itself ({released}); give the day now expected",
        )
    earliest = max(add_months(announced, -AROUND_NOTICE[0]), min(released, announced))
    rule = f"tender window taken from {AROUND_NOTICE[0]} month before to {AROUND_NOTICE[1]} after the announced notice"
    return Window(earliest=earliest, latest=latest), rule


def _ordered(earliest: date, latest: date) -> Window:
    if latest < earliest:
        raise RefusedError("tender.tenderPeriod", f"ends ({latest}) before it starts ({earliest})")
    return Window(earliest=earliest, latest=latest)


def _milestone(release: Object, tender: Object, kind: str) -> date | None:
    found = chain(objects(tender.get("milestones")), objects(obj(release.get("planning")).get("milestones")))
    days = [iso_day(milestone.get("dueDate")) for milestone in found if text(milestone.get("type")) == kind]
    return max((day for day in days if day), default=None)
