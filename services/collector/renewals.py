"""Derives the plan to replace a contract from its award notice. It counts as derived until the authority confirms
it."""

from datetime import date, timedelta
from typing import Any

from events.fields import Origin
from events.plans import PlanPayload, PlanPublished
from services.ingest.dates import BEFORE_CONTRACT, add_months, iso_day, months_between, window_before
from services.ingest.entries import RefusedError, plan_id, validated
from services.ingest.loose_json import Object, number, obj, objects, text
from services.ingest.ocds import fields
from services.ingest.ocds.process import GIVEN_UP, ReleaseState

SUFFIX = ".renewal"


def renewal_plan(state: ReleaseState, authority: str, today: date) -> PlanPayload | None:
    """The plan of what follows the contract; None where its end is not known, or so near that nobody could join.

    The end is the last one without options. `maxExtentDate` says how long the contract may be extended.
    """
    release = state.release
    start, end, furthest = contract_period(release)
    title = fields.prose(text(obj(release.get("tender")).get("title")) or text(release.get("title")))
    if not end or not title or add_months(end, -BEFORE_CONTRACT[1]) <= today:
        return None
    description = fields.prose(text(obj(release.get("tender")).get("description")))
    months = min(240, months_between(end, furthest)) if furthest else 0
    paid = _value(release)
    content: dict[str, Any] = {
        "plan_id": plan_id(authority, f"{state.ocid}{SUFFIX}"),
        "revision": state.revision,
        "authority": authority,
        "title": " ".join(title.split())[:500],
        "description": description[:20_000],
        "kind": "renewal",
        "cpv": fields.cpv(release),
        "value": {"amount": paid} if paid else None,
        "tender_window": window_before(end + timedelta(days=1)),
        "contract": {"start": end + timedelta(days=1), "extension_months": months},
        "current_contract": {
            "reference": state.ocid[:300],
            "supplier": _suppliers(release),
            "product": " ".join(title.split())[:300],
            "end": end,
            "extension_months": months,
            "annual_value": _annual(paid, start, end),
        },
        "procurement": f"{state.ocid}{SUFFIX}"[:300],
        "regions": fields.regions(release),
        "origin": Origin.DERIVED,
    }
    try:
        return validated(PlanPublished, content)
    except RefusedError:
        return None


def contract_period(release: Object) -> tuple[date | None, date | None, date | None]:
    """First and last day of the awarded contract, and the day to which it may be extended: by the contracts, else the
    awards, else the tender and its lots."""
    contracts = [obj(contract.get("period")) for contract in _standing(release.get("contracts"))]
    awards = [obj(award.get("contractPeriod")) for award in _standing(release.get("awards"))]
    tender = obj(release.get("tender"))
    lots = [obj(lot.get("contractPeriod")) for lot in _standing(tender.get("lots"))]
    for periods in (contracts, awards, [obj(tender.get("contractPeriod"))], lots):
        ends = [day for period in periods if (day := iso_day(period.get("endDate")))]
        if ends:
            starts = [day for period in periods if (day := iso_day(period.get("startDate")))]
            extents = [day for period in periods if (day := iso_day(period.get("maxExtentDate")))]
            furthest = max(extents, default=None)
            return min(starts, default=None), max(ends), furthest if furthest and furthest > max(ends) else None
    return None, None, None


def _standing(listed: object) -> list[Object]:
    return [one for one in objects(listed) if text(one.get("status")) not in GIVEN_UP]


def _value(release: Object) -> float | None:
    for name in ("contracts", "awards"):
        amounts = [number(obj(one.get("value")).get("amount")) for one in _standing(release.get(name))]
        known = [amount for amount in amounts if amount and fields.PLACEHOLDER_VALUE < amount <= fields.MAX_AMOUNT]
        if known and len(known) == len(amounts):
            return min(sum(known), fields.MAX_AMOUNT)
    return None


def _annual(paid: float | None, start: date | None, end: date) -> dict[str, Any] | None:
    months = months_between(start, end + timedelta(days=1)) if start and start < end else 0
    return {"amount": round(paid * 12 / months, 2)} if paid and months else None


def _suppliers(release: Object) -> str:
    names = [
        " ".join(fields.prose(text(supplier.get("name"))).split())
        for award in _standing(release.get("awards"))
        for supplier in objects(award.get("suppliers"))
    ]
    return "; ".join(dict.fromkeys(name for name in names if name))[:300]
