"""Reads the tender of an OCDS release: CPV codes, value, places, contract dates and the kind of purchase."""

import html
import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from typing import Any, Final, NamedTuple

from matching import reference
from services.ingest.dates import iso_day
from services.ingest.entries import plain
from services.ingest.loose_json import Object, as_number, as_object, as_objects, as_text
from services.ingest.ocds.process import living_lots, lot_id, related_lots

MOST_CODES: Final = 50
MAX_AMOUNT: Final = 1e12
MAX_DAYS: Final = 50 * 366
PLACEHOLDER_VALUE: Final = 1.0
"""Placeholders that buyers enter in portals that require a value: 0, 0.01 or 1."""

_COUNTRIES: Final = {"uk", "gb", "united kingdom", "great britain", "england"}
_ENGLISH_REGIONS: Final = {f"TL{letter}" for letter in "CDEFGHIJK"}
"""A portal's "select all" yields every region of England; the notice then names no place."""

_CPV = re.compile(r"\d{8}(-\d)?")
_RENEWAL = re.compile(
    r"\b(re-?procur\w+|re-?tender\w*|renewal of|replac\w+ (of |for )?(the |our |its )?(current|existing|present)"
    r"|(current|existing|incumbent) (contract|agreement|framework|arrangement)s? (\w+ ){0,3}(expir|end)\w*)",
    re.IGNORECASE,
)


def prose(words: str) -> str:
    """Clean a notice's text: no HTML escapes, control characters or personal contacts."""
    return plain(html.unescape(html.unescape(words)) if "&" in words else words)


def cpv(release: Object) -> tuple[str, ...]:
    """Return the CPV codes of the tender, its open lots and their items, the main code first, without check digits; at
    most 50."""
    found = [c for c in _classifications(release) if as_text(c.get("scheme")).upper() in ("CPV", "")]
    codes = (as_text(c.get("id")) for c in found)
    return tuple(dict.fromkeys(code[:8] for code in codes if _CPV.fullmatch(code)))[:MOST_CODES]


def value(release: Object) -> tuple[dict[str, Any] | None, bool]:
    """Return the estimated value, and whether it includes VAT because no net value was given. The tender's value
    counts; without one, the sum over its open lots if all use one currency. If lots were cancelled, the sum takes
    precedence."""
    tender = as_object(release.get("tender"))
    stated = _amount(tender.get("value"))
    lots, every = living_lots(release), list(as_objects(tender.get("lots")))
    if stated and not 0 < len(lots) < len(every):
        return _money([stated])
    amounts = [amount for lot in lots if (amount := _amount(lot.get("value")))]
    complete = amounts and len(amounts) == len(lots) and len({amount.currency for amount in amounts}) == 1
    return _money(amounts if complete else [stated] if stated else [])


def regions(release: Object) -> tuple[str, ...]:
    """Return the ITL 2025 codes of the delivery addresses, from region codes of any edition or region names. A whole
    country is a portal's default, and names no region."""
    named = (as_text(address.get("region")) for address in _addresses(release))
    codes = dict.fromkeys(code for name in named if name for code in _region(name))
    return () if codes.keys() >= _ENGLISH_REGIONS else tuple(codes)[:MOST_CODES]


def contract(release: Object) -> tuple[date | None, date | None]:
    """Return the contract's first and last day: the tender's, else from the earliest open lot's to the latest's."""
    tender = as_object(release.get("tender"))
    whole = period(tender.get("contractPeriod"))
    periods = [whole] if any(whole) else [period(lot.get("contractPeriod")) for lot in living_lots(release)]
    starts, ends = [start for start, _ in periods if start], [end for _, end in periods if end]
    return min(starts, default=None), max(ends, default=None)


def kind(release: Object) -> str:
    """Return renewal if a related process or the text mentions a predecessor, project for works, else new."""
    for process in as_objects(release.get("relatedProcesses")):
        relationship = process.get("relationship")
        if isinstance(relationship, list) and {"renewalProcess", "replacementProcess"} & {
            as_text(r) for r in relationship
        }:
            return "renewal"
    tender = as_object(release.get("tender"))
    if as_text(tender.get("mainProcurementCategory")) == "works":
        return "project"
    words = f"{as_text(tender.get('title'))}\n{as_text(tender.get('description'))[:20_000]}"
    return "renewal" if _RENEWAL.search(words) else "new"


class _Amount(NamedTuple):
    pounds: float
    currency: str
    gross: bool


def _amount(stated: object) -> _Amount | None:
    """Return the amount without VAT, else the one with VAT."""
    for name in ("amount", "amountGross"):
        amount = as_number(as_object(stated).get(name))
        if amount is not None and PLACEHOLDER_VALUE < amount <= MAX_AMOUNT:
            return _Amount(amount, as_text(as_object(stated).get("currency")) or "GBP", name == "amountGross")
    return None


def _money(amounts: list[_Amount]) -> tuple[dict[str, Any] | None, bool]:
    total = sum(amount.pounds for amount in amounts)
    if not amounts or total > MAX_AMOUNT:
        return None, False
    return {"amount": total, "currency": amounts[0].currency}, any(amount.gross for amount in amounts)


def period(stated: object) -> tuple[date | None, date | None]:
    """Return a period's first and last day; the last may follow from its length in days."""
    start, end = iso_day(as_object(stated).get("startDate")), iso_day(as_object(stated).get("endDate"))
    days = as_number(as_object(stated).get("durationInDays"))
    if start and not end and days and 1 <= days <= MAX_DAYS:
        end = start + timedelta(days=int(days) - 1)
    return start, end


def _items(release: Object) -> list[Object]:
    """Return the items, without those of cancelled or awarded lots. If none would be left, return all: they still
    describe the purchase."""
    tender = as_object(release.get("tender"))
    living = {lot_id(lot) for lot in living_lots(release)}
    over = {lot_id(lot) for lot in as_objects(tender.get("lots"))} - living
    every = list(as_objects(tender.get("items")))
    return [item for item in every if not (lots := related_lots(item)) or not lots <= over] or every


def _classifications(release: Object) -> Iterator[Object]:
    for holder in (as_object(release.get("tender")), *_items(release), *living_lots(release)):
        yield as_object(holder.get("classification"))
        yield from as_objects(holder.get("additionalClassifications"))


def _addresses(release: Object) -> Iterator[Object]:
    for item in _items(release):
        yield from as_objects(item.get("deliveryAddresses"))
        yield as_object(item.get("deliveryAddress"))
    yield from as_objects(as_object(release.get("tender")).get("deliveryAddresses"))


def _region(name: str) -> tuple[str, ...]:
    """Return a region's codes. "England" and "United Kingdom" have none: the authority's own area is more precise."""
    plain_name = reference.normalise_name(name)
    if plain_name in _COUNTRIES:
        return ()
    if known := _region_names().get(plain_name):
        return (known,)
    return tuple(code for code in reference.normalise_region(name) if code != "UK")


@cache
def _region_names() -> dict[str, str]:
    names = {"east of england": "TLH", "yorkshire and the humber": "TLE"}
    for region in reversed(reference.regions()):
        names[reference.normalise_name(region.name.replace("(England)", ""))] = region.code
    return names
