"""Derives the plan to replace a contract from its award notice. It counts as derived until the authority confirms
it."""

from datetime import date, timedelta
from typing import Any

from events.fields import Origin
from events.plans import PlanPayload, PlanPublished
from matching.calendar import add_months
from services.ingest.dates import BEFORE_CONTRACT, window_before
from services.ingest.entries import RefusedError, build_payload, plan_id
from services.ingest.loose_json import as_object, as_text
from services.ingest.ocds import fields
from services.ingest.ocds.awarded_contract import awarded_contract
from services.ingest.ocds.process import ReleaseState

SUFFIX = ".renewal"


def renewal_plan(state: ReleaseState, authority: str, today: date) -> PlanPayload | None:
    """The plan of what follows the contract; None where its end is not known, or so near that nobody could join.

    The end is the last one without options. `maxExtentDate` says how long the contract may be extended.
    """
    release = state.release
    awarded = awarded_contract(release)
    end = awarded.end
    title = fields.prose(as_text(as_object(release.get("tender")).get("title")) or as_text(release.get("title")))
    if not end or not title or add_months(end, -BEFORE_CONTRACT[1]) <= today:
        return None
    description = fields.prose(as_text(as_object(release.get("tender")).get("description")))
    content: dict[str, Any] = {
        "plan_id": plan_id(authority, f"{state.ocid}{SUFFIX}"),
        "revision": state.revision,
        "authority": authority,
        "title": " ".join(title.split())[:500],
        "description": description[:20_000],
        "kind": "renewal",
        "cpv": fields.cpv(release),
        "value": {"amount": awarded.value} if awarded.value else None,
        "tender_window": window_before(end + timedelta(days=1)),
        "contract": {"start": end + timedelta(days=1), "extension_months": awarded.extension_months},
        "current_contract": {
            "reference": state.ocid[:300],
            "supplier": awarded.suppliers,
            "product": " ".join(title.split())[:300],
            "end": end,
            "extension_months": awarded.extension_months,
            "annual_value": awarded.annual_value,
        },
        "procurement": f"{state.ocid}{SUFFIX}"[:300],
        "regions": fields.regions(release),
        "origin": Origin.DERIVED,
    }
    try:
        return build_payload(PlanPublished, content)
    except RefusedError:
        return None
