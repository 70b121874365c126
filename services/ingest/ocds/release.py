"""One OCDS release as a plan event: what the notice is, whose, and what it says."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from events.plans import PlanAwarded, PlanPayload, PlanPublished, PlanUpdated, PlanWithdrawn
from services.ingest.buyers import Learned, authority_of, buyer_of
from services.ingest.dates import iso_day, milliseconds
from services.ingest.entries import Options, RefusedError, plain, plan_id, validated
from services.ingest.loose_json import Object, obj, objects, text
from services.ingest.ocds import fields as ocds_fields
from services.ingest.ocds.tender_window import planned_window, tendering_window

_OVER: Final = {"cancelled", "withdrawn", "unsuccessful"}
_AWARDED: Final = {"award", "awardUpdate", "contract", "contractUpdate", "contractAmendment", "contractTermination"}
_NOTICE = re.compile(r"UK(\d{1,2})")
_UK_ENGAGEMENT, _UK_TENDER, _UK_AWARD, _UK_TERMINATION = 2, 4, (6, 7), 12


def plan_of(
    release: Object, options: Options, learned: Learned, *, only_stranger: bool
) -> tuple[PlanPayload, tuple[str, ...]]:
    """The plan event and, in sentences, what was inferred. Raises RefusedError. Contact points are never read."""
    ocid = text(release.get("ocid"))
    if not ocid:
        raise RefusedError("ocid", "is missing; every release of OCDS has one")
    revision, released = milliseconds(release.get("date")), iso_day(release.get("date"))
    if revision is None or released is None or revision < 1:
        raise RefusedError("date", "is not a time such as 2026-04-24T15:28:33+01:00; it becomes the plan's revision")
    authority = authority_of(buyer_of(release, learned), options, only_stranger=only_stranger)
    tender = obj(release.get("tender"))
    reference = {"plan_id": plan_id(authority, ocid), "revision": revision, "authority": authority}
    if ended := _ended(release, tender):
        model, why = ended
        return validated(model, reference | why), ()
    fields, notes = _state(release, tender, released)
    changed = any(tag.endswith(("Update", "Amendment")) for tag in _tags(release))
    return validated(PlanUpdated if changed else PlanPublished, reference | fields), notes


def _ended(release: Object, tender: Object) -> tuple[type[PlanPayload], dict[str, Any]] | None:
    """The event that ends the plan, where the release is one of a cancellation or an award."""
    tags, notice = _tags(release), _notice(release, tender)
    status = text(tender.get("status"))
    if status in _OVER or "tenderCancellation" in tags or notice == _UK_TERMINATION:
        return PlanWithdrawn, {"reason": f"The notice says: {status if status in _OVER else 'cancelled'}."}
    awards = list(objects(release.get("awards")))
    standing = [award for award in awards if text(award.get("status")) not in _OVER]
    if standing or (not awards and (_AWARDED & tags or notice in _UK_AWARD)):
        return PlanAwarded, {"awarded_on": _awarded_on(release, standing)}
    if awards and tags & _AWARDED:
        return PlanWithdrawn, {"reason": "The notice says that nothing was awarded."}
    return None


def _awarded_on(release: Object, awards: list[Object]) -> date | None:
    signed = [iso_day(contract.get("dateSigned")) for contract in objects(release.get("contracts"))]
    return min((day for day in [*(iso_day(award.get("date")) for award in awards), *signed] if day), default=None)


def _state(release: Object, tender: Object, released: date) -> tuple[dict[str, Any], tuple[str, ...]]:
    title = plain(text(tender.get("title")) or text(release.get("title")))
    if not title:
        raise RefusedError("tender.title", "is missing: the release doesn't say what is to be bought")
    stage = _stage(release, tender)
    start, end = ocds_fields.contract(tender)
    if stage == "tendering":
        window, rule = tendering_window(tender, released)
    else:
        window, rule = planned_window(release, tender, released, start)
    value = ocds_fields.value(tender)
    fields = {
        "title": _cut(" ".join(title.split()), 500),
        "description": _cut(plain(text(tender.get("description"))), 20_000),
        "kind": ocds_fields.kind(release, tender),
        "stage": stage,
        "cpv": ocds_fields.cpv(tender),
        "value": value,
        "tender_window": window,
        # The extension a notice speaks of is the new contract's; `extension_months` is what the present one has left.
        "contract": {"start": start, "end": end},
        "regions": ocds_fields.regions(tender),
    }
    return fields, tuple(_notes(tender, rule, value))


def _notes(tender: Object, rule: str | None, value: dict[str, Any] | None) -> Iterator[str]:
    if rule:
        yield rule
    if sum(1 for _ in objects(tender.get("lots"))) > 1:
        yield "several lots published as one plan"
    if value is None and tender.get("value") is not None:
        yield "the value given is a placeholder: published without"


def _stage(release: Object, tender: Object) -> str:
    notice = _notice(release, tender)
    documents = {text(document.get("documentType")) for document in _documents(release, tender)}
    if notice >= _UK_TENDER or (not notice and not _tags(release) & {"planning", "planningUpdate"} and _open(tender)):
        return "tendering"
    if notice == _UK_ENGAGEMENT or (not notice and "marketEngagementNotice" in documents):
        return "engagement"
    return "planned"


def _open(tender: Object) -> bool:
    """Whether the tender has begun. `planned` is the UK's and OCDS's word before, Contracts Finder says `planning`."""
    return text(tender.get("status")) not in ("", "planned", "planning") or "tenderPeriod" in tender


def _notice(release: Object, tender: Object) -> int:
    """The number of the latest UK notice (UK1 to UK17) among the documents; 0 where there is none."""
    matches = (_NOTICE.fullmatch(text(document.get("noticeType"))) for document in _documents(release, tender))
    return max((int(match[1]) for match in matches if match), default=0)


def _documents(release: Object, tender: Object) -> Iterator[Object]:
    yield from objects(obj(release.get("planning")).get("documents"))
    yield from objects(tender.get("documents"))
    for award in objects(release.get("awards")):
        yield from objects(award.get("documents"))


def _tags(release: Object) -> set[str]:
    tags = release.get("tag")
    return {text(tag) for tag in (tags if isinstance(tags, list) else [tags])} - {""}


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1].rstrip() + "…"
