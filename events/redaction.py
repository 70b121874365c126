"""Takes people out of texts: e-mail addresses and telephone numbers are no part of a plan."""

import re
from collections.abc import Mapping
from typing import Final

from events.contracts import ContractPayload, ContractPublished
from events.fields import Payload
from events.plans import PlanPayload

MAX_TEXT: Final = 40_000
"""Characters of a text that are looked at; twice what a description may have."""
TEXTS: Final = {"title": 500, "description": 20_000, "reason": 20_000}
"""The free texts of plan payloads, and the characters that each may have."""
CONTRACT_TEXTS: Final = {"reference": 300, "supplier": 300, "product": 300}
"""Those of the contract that runs now."""

# Bounded repetition: a text of one endless word must not take quadratic time.
_EMAIL: Final = re.compile(r"[\w.+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_TELEPHONE: Final = re.compile(r"(?<![\w-])(?:\+44[\s(]*|0)\d(?:[\s()-]{0,2}\d){8,10}(?!\w)")


def without_contacts(text: str) -> str:
    """The text with `[e-mail removed]` and `[telephone removed]` in place of addresses and numbers."""
    return _TELEPHONE.sub("[telephone removed]", _EMAIL.sub("[e-mail removed]", text))


def redact(payload: PlanPayload) -> PlanPayload:
    """The payload without contacts in its texts; the same object where it has none."""
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
    """The texts that held contacts, without them."""
    changed: dict[str, object] = {}
    for name, longest in texts.items():
        text = getattr(holder, name, "")
        if (redacted := without_contacts(text)) != text:
            changed[name] = redacted[:longest]
    return changed
