"""The type of a notice: the stage of the purchase, or another subject than a future purchase."""

import re
from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Final

from services.ingest.dates import iso_day
from services.ingest.loose_json import Object, as_object, as_objects, as_text
from services.ingest.ocds.process import GIVEN_UP, decided_awards, living_lots, release_tags

_NOTICE = re.compile(r"UK(\d{1,2})")


class Phase(StrEnum):
    """The stage of a purchase after a notice. From `PERFORMANCE` on, the notice concerns no future purchase."""

    PLANNED = "planned"
    ENGAGEMENT = "engagement"
    TENDERING = "tendering"
    WITHDRAWN = "withdrawn"
    AWARDED = "awarded"
    PERFORMANCE = "performance"
    DYNAMIC_MARKET = "dynamic market"


_PHASES: Final = {
    1: Phase.PLANNED,  # pipeline
    2: Phase.ENGAGEMENT,  # preliminary market engagement
    3: Phase.PLANNED,  # planned procurement
    4: Phase.TENDERING,  # tender
    5: Phase.TENDERING,  # transparency: a direct award is intended
    6: Phase.AWARDED,  # contract award
    7: Phase.AWARDED,  # contract details
    8: Phase.PERFORMANCE,  # contract payment
    9: Phase.PERFORMANCE,  # contract performance
    10: Phase.AWARDED,  # contract change
    11: Phase.PERFORMANCE,  # contract termination
    12: Phase.WITHDRAWN,  # procurement termination
    13: Phase.DYNAMIC_MARKET,
    14: Phase.DYNAMIC_MARKET,
    15: Phase.DYNAMIC_MARKET,
    16: Phase.DYNAMIC_MARKET,
    17: Phase.PERFORMANCE,  # payments compliance
}

_AWARDED_TAGS: Final = {
    "award",
    "awardUpdate",
    "contract",
    "contractUpdate",
    "contractAmendment",
    "contractTermination",
}
_PERFORMANCE_TAGS: Final = {"implementation", "implementationUpdate"}
_PLANNING_TAGS: Final = {"planning", "planningUpdate"}


def phase_of(release: Object) -> Phase:
    """Return the stage of the purchase as of this release: from its notice, else from its tags and the tender's
    status."""
    tags, numbered = release_tags(release), _PHASES.get(notice_of(release))
    if numbered in (Phase.DYNAMIC_MARKET, Phase.PERFORMANCE):
        return numbered
    if not numbered and tags & _PERFORMANCE_TAGS and not tags & (_AWARDED_TAGS | {"tender"}):
        return Phase.PERFORMANCE
    if ended := _ended(release, tags, numbered):
        return ended
    if numbered and numbered not in (Phase.AWARDED, Phase.WITHDRAWN):
        return numbered
    return _before_award(release, tags)


def notice_of(release: Object) -> int:
    """Return the number of the release's own UK notice (UK1 to UK17), else of its latest notice document; 0 for
    none."""
    found = []
    for document in _documents(release):
        if match := _NOTICE.fullmatch(as_text(document.get("noticeType"))):
            own = as_text(document.get("id")) == as_text(release.get("id"))
            found.append((own, iso_day(document.get("datePublished")) or date.min, int(match[1])))
    return max(found, default=(False, date.min, 0))[2]


def tender_notice_day(release: Object) -> date | None:
    """Return the day on which the buyer first announced the tender itself, if a document gives it."""
    days = [
        iso_day(document.get("datePublished"))
        for document in _documents(release)
        if as_text(document.get("noticeType")) in ("UK4", "UK5")
        or as_text(document.get("documentType")) == "tenderNotice"
    ]
    return min((day for day in days if day), default=None)


def ended_by(release: Object) -> str:
    """Return a sentence on why a cancelled purchase ended."""
    status = as_text(as_object(release.get("tender")).get("status"))
    if status in GIVEN_UP:
        return f"The notice says: {status}."
    if "tenderCancellation" in release_tags(release) or _PHASES.get(notice_of(release)) is Phase.WITHDRAWN:
        return "The notice says: cancelled."
    if all(as_text(award.get("status")) in GIVEN_UP for award in decided_awards(release)) and decided_awards(release):
        return "The notice says that nothing was awarded."
    return "The notice says that every lot was given up."


def awarded_on(release: Object) -> date | None:
    """Return the first day of an award or a signature."""
    awards = [award for award in decided_awards(release) if as_text(award.get("status")) not in GIVEN_UP]
    signed = [iso_day(contract.get("dateSigned")) for contract in as_objects(release.get("contracts"))]
    return min((day for day in [*(iso_day(award.get("date")) for award in awards), *signed] if day), default=None)


def _ended(release: Object, tags: set[str], numbered: Phase | None) -> Phase | None:
    """Return WITHDRAWN or AWARDED if nothing is left to be bought. A plan stays active until its last lot is
    decided."""
    tender = as_object(release.get("tender"))
    if as_text(tender.get("status")) in GIVEN_UP or "tenderCancellation" in tags or numbered is Phase.WITHDRAWN:
        return Phase.WITHDRAWN
    lots, decided = list(as_objects(tender.get("lots"))), decided_awards(release)
    if lots and living_lots(release) and (decided or list(as_objects(release.get("awards")))):
        return None
    if any(as_text(award.get("status")) not in GIVEN_UP for award in decided):
        return Phase.AWARDED
    if lots and not living_lots(release):
        return Phase.AWARDED if any(as_text(lot.get("status")) == "complete" for lot in lots) else Phase.WITHDRAWN
    if decided and tags & _AWARDED_TAGS:
        return Phase.WITHDRAWN
    undecided = bool(list(as_objects(release.get("awards")))) and not decided
    return Phase.AWARDED if not undecided and (tags & _AWARDED_TAGS or numbered is Phase.AWARDED) else None


def _before_award(release: Object, tags: set[str]) -> Phase:
    tender = as_object(release.get("tender"))
    if not tags & _PLANNING_TAGS and _open(tender):
        return Phase.TENDERING
    kinds = {as_text(document.get("documentType")) for document in _documents(release)}
    engaging = "marketEngagementNotice" in kinds and not kinds & {"plannedProcurementNotice"}
    return Phase.ENGAGEMENT if engaging else Phase.PLANNED


def _open(tender: Object) -> bool:
    """Return whether the tender has begun. Before that, the UK and OCDS say `planned`, Contracts Finder says
    `planning`."""
    return as_text(tender.get("status")) not in ("", "planned", "planning") or "tenderPeriod" in tender


def _documents(release: Object) -> Iterator[Object]:
    for holder in (release.get("planning"), release.get("tender")):
        yield from as_objects(as_object(holder).get("documents"))
    for name in ("awards", "contracts"):
        for holder in as_objects(release.get(name)):
            yield from as_objects(holder.get("documents"))
