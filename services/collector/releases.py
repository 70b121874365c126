"""The stored part of a release: the fields that plans are made of, and no personal data."""

from datetime import datetime
from typing import Any, Final

from services.ingest.loose_json import Object, as_object, as_objects, as_text
from services.ingest.ocds.process import notice_number
from services.store.feeds import FeedRelease

_WHOLE: Final = ("ocid", "id", "date", "tag", "buyer", "relatedProcesses", "title")
_TENDER: Final = (
    "id", "title", "description", "status", "mainProcurementCategory", "classification", "additionalClassifications",
    "items", "lots", "value", "communication", "tenderPeriod", "contractPeriod", "milestones", "procuringEntity",
    "deliveryAddresses", "techniques",
)  # fmt: skip
_PARTY: Final = ("id", "name", "identifier", "additionalIdentifiers", "roles")
_AWARD: Final = (
    "id", "status", "date", "relatedLots", "suppliers", "value", "contractPeriod", "awardID", "dateSigned", "period"
)  # fmt: skip
_DOCUMENT: Final = ("id", "documentType", "noticeType", "datePublished")


def kept(release: Object) -> Object:
    """Return the release without contact points, document texts and other fields that no plan uses."""
    found = _only(release, _WHOLE)
    found["parties"] = [_only(party, _PARTY) for party in as_objects(release.get("parties"))]
    tender = as_object(release.get("tender"))
    if tender:
        found["tender"] = _only(tender, _TENDER) | _documents(tender)
    if planning := as_object(release.get("planning")):
        found["planning"] = _only(planning, ("milestones",)) | _documents(planning)
    for name in ("awards", "contracts"):
        if listed := [_only(one, _AWARD) | _documents(one) for one in as_objects(release.get(name))]:
            found[name] = listed
    return found


def to_row(source: str, release: Object, at: datetime, *, whole: bool) -> FeedRelease:
    """Build the stored form of a release; only its identity unless `whole`."""
    release_id = as_text(release.get("id"))
    number, hyphen, year = release_id.rpartition("-")
    numbered = bool(hyphen) and number.isdigit() and len(number) <= 9 and year.isdigit() and len(year) == 4
    return FeedRelease(
        source=source,
        release_id=release_id[:200],
        released=as_text(release.get("date"))[:40],
        ocid=as_text(release.get("ocid"))[:200],
        notice_year=int(year) if numbered else None,
        notice_number=notice_number(release_id) if numbered else None,
        content=kept(release) if whole else None,
        received_at=at,
    )


def _only(holder: Object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: holder[name] for name in names if name in holder}


def _documents(holder: Object) -> dict[str, Any]:
    documents = [_only(document, _DOCUMENT) for document in as_objects(holder.get("documents"))]
    return {"documents": documents} if documents else {}
