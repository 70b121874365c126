"""Removes personal contacts from texts: email addresses and telephone numbers do not belong in a plan."""

import re
from collections.abc import Mapping
from typing import Final

from events.contracts import ContractPayload, ContractPublished
from events.fields import Payload
from events.plans import PlanPayload

MAX_TEXT: Final = 40_000
"""The number of characters examined, twice the maximum of a description."""
TEXTS: Final = {"title": 500, "description": 20_000, "reason": 20_000}
"""The free-text fields of plan payloads, each with its maximum length."""
CONTRACT_TEXTS: Final = {"reference": 300, "supplier": 300, "product": 300}
"""The free-text fields of the current contract."""

# Bounded repetition: a text that is one endless word must not take quadratic time.
_EMAIL: Final = re.compile(r"[\w.+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
# After its 0, a British number has nine or ten digits, none of them a 0 at first. A time and a day are no number.
_TELEPHONE: Final = re.compile(
    r"(?<![\w-])(?!\d{4}\s(?:19|20)\d\d-\d\d-\d\d)"
    r"(?:(?:\+|00)44[\s(]*\d(?:[\s()-]{0,2}\d){8,10}|0[1-9](?:[\s()-]{0,2}\d){8,9})(?!\w)"
)


def without_contacts(text: str) -> str:
    """Replace addresses and telephone numbers by `[e-mail removed]` and `[telephone removed]`."""
    return _TELEPHONE.sub("[telephone removed]", _EMAIL.sub("[e-mail removed]", text))


def redact(payload: PlanPayload) -> PlanPayload:
    """Return the payload without contacts in its texts; the same object if it has none."""
    changed: dict[str, object] = _redacted(payload, TEXTS)
    contract = getattr(payload, "current_contract", None)
    if contract and (parts := _redacted(contract, CONTRACT_TEXTS)):
        changed["current_contract"] = contract.model_copy(update=parts)
    lots = getattr(payload, "lots", None) or ()
    if (without := tuple(without_contacts(lot) for lot in lots)) != tuple(lots):
        changed["lots"] = without
    return payload.model_copy(update=changed) if changed else payload


def redact_contract(payload: ContractPayload) -> ContractPayload:
    """A contract event without contacts in its texts."""
    if not isinstance(payload, ContractPublished):
        return payload
    changed = _redacted(payload, {"title": 500, "supplier": 300, "product": 300})
    prices = [one.model_copy(update=_redacted(one, {"item": 300})) for one in payload.prices]
    ratings = [one.model_copy(update=_redacted(one, {"indicator": 300})) for one in payload.performance]
    return payload.model_copy(update={**changed, "prices": tuple(prices), "performance": tuple(ratings)})


def _redacted(holder: Payload, texts: Mapping[str, int]) -> dict[str, object]:
    """Return the cleaned versions of the texts that held contacts."""
    changed: dict[str, object] = {}
    for name, longest in texts.items():
        text = getattr(holder, name, "")
        if (redacted := without_contacts(text)) != text:
            changed[name] = redacted[:longest]
    return changed
