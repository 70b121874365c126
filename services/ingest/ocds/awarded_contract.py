"""The contract that a notice of award or of a contract's details tells of."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from services.ingest.dates import iso_day, months_between
from services.ingest.loose_json import Object, as_number, as_object, as_objects, as_text
from services.ingest.ocds import fields
from services.ingest.ocds.process import GIVEN_UP


@dataclass(frozen=True, slots=True)
class AwardedContract:
    """First and last day without options, months by which it may be extended, value, and suppliers; as far as known."""

    start: date | None
    end: date | None
    extension_months: int
    value: float | None
    annual_value: dict[str, Any] | None
    suppliers: str


def awarded_contract(release: Object) -> AwardedContract:
    """What a release says of the contract. `maxExtentDate` says how long it may be extended."""
    start, end, furthest = contract_period(release)
    paid = _value(release)
    return AwardedContract(
        start=start if start and end and start <= end else None,
        end=end,
        extension_months=min(240, months_between(end, furthest)) if end and furthest else 0,
        value=paid,
        annual_value=_annual(paid, start, end) if end else None,
        suppliers=_suppliers(release),
    )


def contract_period(release: Object) -> tuple[date | None, date | None, date | None]:
    """First and last day of the awarded contract, and the day to which it may be extended: by the contracts, else the
    awards, else the tender and its lots."""
    contracts = [as_object(contract.get("period")) for contract in _standing(release.get("contracts"))]
    awards = [as_object(award.get("contractPeriod")) for award in _standing(release.get("awards"))]
    tender = as_object(release.get("tender"))
    lots = [as_object(lot.get("contractPeriod")) for lot in _standing(tender.get("lots"))]
    for periods in (contracts, awards, [as_object(tender.get("contractPeriod"))], lots):
        ends = [day for period in periods if (day := iso_day(period.get("endDate")))]
        if ends:
            starts = [day for period in periods if (day := iso_day(period.get("startDate")))]
            extents = [day for period in periods if (day := iso_day(period.get("maxExtentDate")))]
            furthest = max(extents, default=None)
            return min(starts, default=None), max(ends), furthest if furthest and furthest > max(ends) else None
    return None, None, None


def _standing(listed: object) -> list[Object]:
    return [one for one in as_objects(listed) if as_text(one.get("status")) not in GIVEN_UP]


def _value(release: Object) -> float | None:
    for name in ("contracts", "awards"):
        amounts = [as_number(as_object(one.get("value")).get("amount")) for one in _standing(release.get(name))]
        known = [amount for amount in amounts if amount and fields.PLACEHOLDER_VALUE < amount <= fields.MAX_AMOUNT]
        if known and len(known) == len(amounts):
            return min(sum(known), fields.MAX_AMOUNT)
    return None


def _annual(paid: float | None, start: date | None, end: date) -> dict[str, Any] | None:
    months = months_between(start, end + timedelta(days=1)) if start and start < end else 0
    return {"amount": round(paid * 12 / months, 2)} if paid and months else None


def _suppliers(release: Object) -> str:
    names = [
        " ".join(fields.prose(as_text(supplier.get("name"))).split())
        for award in _standing(release.get("awards"))
        for supplier in as_objects(award.get("suppliers"))
    ]
    return "; ".join(dict.fromkeys(name for name in names if name))[:300]
