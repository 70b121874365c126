"""OCDS notices of framework agreements: a lot for each of theirs. What a notice does not say stays unknown."""

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Final

from matching.frameworks import AwardMethod, FrameworkLot
from services.ingest.buyers import buyers_of
from services.ingest.entries import RefusedError
from services.ingest.loose_json import Object, as_number, as_object, as_objects, as_text
from services.ingest.ocds import fields as ocds_fields
from services.ingest.ocds.process import GIVEN_UP
from services.ingest.ocds.reader import find_releases

_MAX_SCOPE: Final = 20_000


def read_framework_notices(file: Path) -> Iterator[FrameworkLot | RefusedError]:
    """The lots of every notice of a framework agreement in a file of releases; other notices are passed over.

    Of a contracting process the last release counts. Raises RefusedError if the file is not OCDS.
    """
    latest: dict[str, Object] = {}
    for _, release in find_releases(file):
        if isinstance(release, RefusedError):
            yield release
        elif _is_framework(as_object(release.get("tender"))):
            key = as_text(release.get("ocid"))
            before = latest.get(key)
            if before is None or as_text(before.get("date")) <= as_text(release.get("date")):
                latest[key] = release
    for release in latest.values():
        try:
            yield from _lots(release)
        except RefusedError as refused:
            yield refused


def _is_framework(tender: Object) -> bool:
    marked = (tender, *as_objects(tender.get("lots")))
    return any(
        as_object(one.get("techniques")).get("hasFrameworkAgreement") is True
        or bool(as_object(one.get("techniques")).get("frameworkAgreement"))
        for one in marked
    )


def _lots(release: Object) -> Iterator[FrameworkLot]:
    tender, ocid = as_object(release.get("tender")), as_text(release.get("ocid"))[:80]
    title = " ".join(ocds_fields.prose(as_text(tender.get("title"))).split())[:300]
    lots = [lot for lot in as_objects(tender.get("lots")) if as_text(lot.get("status")) not in GIVEN_UP]
    starts, ends = _term(release, lots)
    if not ocid or not title or starts is None:
        raise RefusedError("tender", f"{ocid or 'a notice'}: no title, or no first day of the agreement")
    for lot in lots if len(lots) > 1 else [Object()]:
        described = " ".join(as_text(one.get("description")) for one in (tender, lot))
        yield FrameworkLot(
            framework=ocid,
            title=title,
            owner=buyers_of(release)[0].name[:200] or "the owner",
            starts=starts,
            ends=ends,
            lot=as_text(lot.get("id"))[:40],
            lot_title=" ".join(ocds_fields.prose(as_text(lot.get("title"))).split())[:300],
            scope=ocds_fields.prose(described).strip()[:_MAX_SCOPE],
            cpv=ocds_fields.cpv(release),
            award=_award(tender),
            source=_source(release, starts),
        )


def _term(release: Object, lots: Sequence[Object]) -> tuple[date | None, date | None]:
    """First and last day: the signed agreements', else the whole tender's, else from the first lot's to the last's."""
    signed = [ocds_fields.period(one.get("period")) for one in as_objects(release.get("contracts"))]
    whole = [ocds_fields.period(as_object(release.get("tender")).get("contractPeriod"))]
    each = [ocds_fields.period(lot.get("contractPeriod")) for lot in lots]
    for periods in (signed, whole, each):
        starts, ends = [start for start, _ in periods if start], [end for _, end in periods if end]
        if starts:
            return min(starts), max(ends, default=None)
    return None, None


def _award(tender: Object) -> AwardMethod:
    """One supplier can only be awarded directly; of several, the notice's data says no more."""
    most = as_number(
        as_object(as_object(tender.get("techniques")).get("frameworkAgreement")).get("maximumParticipants")
    )
    return AwardMethod.DIRECT if most == 1 else AwardMethod.UNKNOWN


def _source(release: Object, starts: date) -> str:
    return f"notice {as_text(release.get('id'))[:80] or 'of ' + starts.isoformat()}"
