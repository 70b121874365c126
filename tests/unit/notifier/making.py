"""Opportunity payloads for tests, in invented words."""

import hashlib
from datetime import date
from typing import Any

from events.fields import Window
from events.opportunities import (
    Generation,
    OpportunityIdentified,
    OpportunityState,
    OpportunityUpdated,
    OpportunityWithdrawn,
    PlanSummary,
)

LEEDS, CAMDEN = "E08000035", "E09000007"
NAMES = {LEEDS: "Leeds City Council", CAMDEN: "London Borough of Camden"}


def side(authority: str, **fields: Any) -> PlanSummary:
    values: dict[str, Any] = {
        "plan_id": f"{authority}:ICT-0042",
        "revision": 1,
        "authority": authority,
        "authority_name": NAMES.get(authority, f"Council {authority}"),
        "title": f"HR and payroll system of {authority}",
        "sharing": "open",
        "tender_window": Window(earliest=date(2027, 3, 1), latest=date(2027, 6, 30)),
        "regions": ("TLI",),
    } | fields
    return PlanSummary(**values)


def state(
    own: PlanSummary | None = None, other: PlanSummary | None = None, *, material: int = 1, **fields: Any
) -> OpportunityState:
    first, second = own or side(LEEDS), other or side(CAMDEN)
    kind: type[OpportunityState] = OpportunityIdentified if material == 1 else OpportunityUpdated
    if fields.get("status") == "withdrawn":
        kind = OpportunityWithdrawn
    identity = "\n".join(sorted((first.plan_id, second.plan_id)))
    values: dict[str, Any] = {
        "opportunity_id": hashlib.sha256(identity.encode()).hexdigest()[:32],
        "revision": material,
        "material_revision": material,
        "status": "active",
        "band": "notify",
        "score": 87.0,
        "plans": (first, second),
        "reasons": (
            "Both plans have the same need, HR and payroll: \u201cHR and payroll\u201d and \u201cPayroll\u201d.",
            "Both lie in London.",
            "Both name CPV 48450000 (Time accounting or human resources software package).",
        ),
        "would_change": ("If Camden moved its tender to October 2027, this would be a possible match",),
        "common_window": Window(earliest=date(2027, 3, 1), latest=date(2027, 6, 30)),
        "decide_by": date(2026, 11, 16),
        "assessed_as_of": date(2026, 11, 22),
        "generation": Generation(policy="1", statistics="1", model="1"),
    } | fields
    return kind(**values)
