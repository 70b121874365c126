"""The sample: plans of real authorities in invented words, dated relative to any given day.

`plans.jsonl` holds one event a line. Months count from the month of the given day: `window` [3, 6] runs from the first
day of the third month ahead to the last day of the sixth; `contract` [9, 56] likewise. An `updated` line holds only the
changed fields.
"""

import calendar
import json
from collections.abc import Mapping
from datetime import date
from importlib.resources import files
from typing import Any

from events.plans import PlanAwarded, PlanPayload, PlanPublished, PlanUpdated, PlanWithdrawn


def sample_plans(as_of: date) -> list[PlanPayload]:
    """Build the sample's plan events in publishing order, dated relative to `as_of`; the same for the same day. Plans
    come first, their updates, awards and withdrawals after."""
    states: dict[str, dict[str, Any]] = {}
    payloads: list[PlanPayload] = []
    for line in files(__name__).joinpath("plans.jsonl").read_text(encoding="utf-8").splitlines():
        entry: dict[str, Any] = json.loads(line)
        ref = entry["ref"]
        if entry.get("event", "published") in ("published", "updated"):
            states[ref] = states.get(ref, {}) | entry.get("change", entry)
        payloads.append(_payload(entry, states[ref], as_of))
    return payloads


def _payload(entry: Mapping[str, Any], state: Mapping[str, Any], as_of: date) -> PlanPayload:
    reference = {
        "plan_id": entry["ref"],
        "revision": entry.get("revision", 1),
        "authority": entry["ref"].split(":")[0],
    }
    match entry.get("event", "published"):
        case "withdrawn":
            return PlanWithdrawn.model_validate(reference | {"reason": entry["reason"]})
        case "awarded":
            return PlanAwarded.model_validate(reference | {"awarded_on": first_of_month(as_of, entry["awarded_on"])})
        case "updated":
            return PlanUpdated.model_validate(reference | _state(state, as_of))
        case _:
            return PlanPublished.model_validate(reference | _state(state, as_of))


def _state(state: Mapping[str, Any], as_of: date) -> dict[str, Any]:
    earliest, latest = state["window"]
    start, end = state.get("contract", (None, None))
    return {
        "title": state["title"],
        "description": state.get("description", ""),
        "kind": state["kind"],
        "stage": state.get("stage", "planned"),
        "cpv": state["cpv"],
        "value": {"amount": state["value"]},
        "tender_window": {"earliest": first_of_month(as_of, earliest), "latest": _last(as_of, latest)},
        "contract": {
            "start": None if start is None else first_of_month(as_of, start),
            "end": None if end is None else _last(as_of, end),
            "extension_months": state.get("extension", 0),
        },
        "regions": state.get("regions", []),
        "sharing": state.get("sharing", "open"),
        "procurement": state.get("procurement"),
    }


def _month(as_of: date, months: int) -> tuple[int, int]:
    year, month = divmod(as_of.year * 12 + as_of.month - 1 + months, 12)
    return year, month + 1


def first_of_month(as_of: date, months: int) -> date:
    """Return the first day of the month that many months after the month of `as_of`."""
    year, month = _month(as_of, months)
    return date(year, month, 1)


def _last(as_of: date, months: int) -> date:
    year, month = _month(as_of, months)
    return date(year, month, calendar.monthrange(year, month)[1])
