"""What a tender of an OCDS release says of CPV codes, value, places, contract dates and the kind of purchase."""

import re
from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Any, Final

from matching import reference
from services.ingest.dates import iso_day
from services.ingest.loose_json import Object, number, obj, objects, text

MOST_CODES: Final = 50
PLACEHOLDER_VALUE: Final = 1.0
"""Portals that insist on a value are given 0, 0.01 or 1: nothing is known from it."""

_CPV = re.compile(r"\d{8}(-\d)?")
_RENEWAL = re.compile(
    r"\b(re-?procur\w+|re-?tender\w*|renewal of|replac\w+ (of |for )?(the |our |its )?(current|existing|present)"
    r"|(current|existing|incumbent) (contract|agreement|framework|arrangement)s? (\w+ ){0,3}(expir|end)\w*)",
    re.IGNORECASE,
)


def cpv(tender: Object) -> tuple[str, ...]:
    """Every CPV code of the tender and its items, the main one first, without check digits, at most 50."""
    found = [c for c in _classifications(tender) if text(c.get("scheme")).upper() in ("CPV", "")]
    codes = (text(c.get("id")) for c in found)
    return tuple(dict.fromkeys(code[:8] for code in codes if _CPV.fullmatch(code)))[:MOST_CODES]


def value(tender: Object) -> dict[str, Any] | None:
    """The estimated value without VAT: the tender's, else the sum of its lots' where all give one in one currency."""
    if stated := _amount(tender.get("value")):
        return {"amount": stated[0], "currency": stated[1]}
    lots = [_amount(lot.get("value")) for lot in objects(tender.get("lots"))]
    known = [amount for amount in lots if amount]
    if not known or len(known) < len(lots) or len({currency for _, currency in known}) > 1:
        return None
    return {"amount": sum(amount for amount, _ in known), "currency": known[0][1]}


def regions(tender: Object) -> tuple[str, ...]:
    """The ITL 2025 codes of the delivery addresses: of their region codes, whatever the edition, or region names."""
    named = (text(address.get("region")) for address in _addresses(tender))
    codes = (code for name in named if name for code in _region(name))
    return tuple(dict.fromkeys(codes))[:MOST_CODES]


def contract(tender: Object) -> tuple[date | None, date | None]:
    """First day and last day of the contract: the tender's, else from the earliest lot's to the latest lot's."""
    periods = [
        obj(tender.get("contractPeriod")),
        *(obj(lot.get("contractPeriod")) for lot in objects(tender.get("lots"))),
    ]
    stated = periods[:1] if iso_day(periods[0].get("startDate")) or iso_day(periods[0].get("endDate")) else periods[1:]
    starts = [day for period in stated if (day := iso_day(period.get("startDate")))]
    ends = [day for period in stated if (day := iso_day(period.get("endDate")))]
    return min(starts, default=None), max(ends, default=None)


def kind(release: Object, tender: Object) -> str:
    """renewal where a related process or the text says that something is replaced, project for works, else new."""
    for process in objects(release.get("relatedProcesses")):
        relationship = process.get("relationship")
        if isinstance(relationship, list) and {"renewalProcess", "replacementProcess"} & {
            text(r) for r in relationship
        }:
            return "renewal"
    if text(tender.get("mainProcurementCategory")) == "works":
        return "project"
    words = f"{text(tender.get('title'))}\n{text(tender.get('description'))[:20_000]}"
    return "renewal" if _RENEWAL.search(words) else "new"


def _classifications(tender: Object) -> Iterator[Object]:
    for holder in (tender, *objects(tender.get("items")), *objects(tender.get("lots"))):
        yield obj(holder.get("classification"))
        yield from objects(holder.get("additionalClassifications"))


def _amount(stated: object) -> tuple[float, str] | None:
    amount = number(obj(stated).get("amount"))
    if amount is None or not PLACEHOLDER_VALUE < amount <= 1e12:
        return None
    return amount, text(obj(stated).get("currency")) or "GBP"


def _addresses(tender: Object) -> Iterator[Object]:
    for item in objects(tender.get("items")):
        yield from objects(item.get("deliveryAddresses"))
        yield obj(item.get("deliveryAddress"))
    yield from objects(tender.get("deliveryAddresses"))


def _region(name: str) -> tuple[str, ...]:
    """ "England" is no region and gives none: the authority's own area says more."""
    plain = reference.normalise_name(name)
    if known := _region_names().get(plain):
        return (known,)
    return reference.normalise_region(name)


@cache
def _region_names() -> dict[str, str]:
    names = {"united kingdom": "UK", "east of england": "TLH", "yorkshire and the humber": "TLE"}
    for region in reversed(reference.regions()):
        names[reference.normalise_name(region.name.replace("(England)", ""))] = region.code
    return names
