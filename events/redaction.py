"""Removes personal contacts from texts: email addresses and telephone numbers do not belong in a plan."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from events.contracts import ContractPayload, ContractPublished
from events.fields import SHORT_TEXT_LENGTH, Payload
from events.plans import PlanPayload
from events.responses import LINE_LENGTH, RESPONSE_TEXT_LENGTH, ResponsePayload

MAX_TEXT: Final = 40_000
"""The number of characters examined, twice the maximum of a description."""
TEXTS: Final = {"title": 500, "description": 20_000, "reason": 20_000}
"""The free-text fields of plan payloads, each with its maximum length."""
CONTRACT_TEXTS: Final = {"reference": 300, "supplier": 300, "product": 300}
"""The free-text fields of the current contract."""
RESPONSE_TEXTS: Final = {
    "scope": RESPONSE_TEXT_LENGTH,
    "route": RESPONSE_TEXT_LENGTH,
    "note": RESPONSE_TEXT_LENGTH,
    "by": LINE_LENGTH,
    "title": LINE_LENGTH,
    "decided_by": LINE_LENGTH,
}
"""The free-text fields of responses that others read, each with its maximum length."""

# Bounded repetition: a text that is one endless word must not take quadratic time.
# Version 0.2.0 wrote `[e-mail removed]`, which the matcher reads as a need of the authority.
_EMAIL: Final = re.compile(r"[\w.+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}|\[e-mail removed\]")
# After its 0, a British number has nine or ten digits, none of them a 0 at first. A time and a day are no number.
_GAP: Final = r"[\s()\u2010-\u2015\u2212-]{0,2}"
_MARK: Final = r"\s?[./_|]\s?"
_TELEPHONE: Final = re.compile(
    r"(?<![\w-])(?!\d{4}\s(?:19|20)\d\d-\d\d-\d\d)"
    rf"(?:(?:\+|00)44[\s(]*(?:{_GAP}\d){{9,11}}|\+[1-9](?:{_GAP}\d){{9,13}}|0[1-9](?:{_GAP}\d){{8,9}}"
    # Dots and strokes also divide dates: here the first group has three to five digits.
    rf"|(?=\d(?:[\s./_|]{{0,3}}\d){{9,10}}(?!\w))0[1-9]\d{{1,3}}{_MARK}\d{{3,4}}(?:{_MARK})?\d{{3,4}})(?!\w)"
)
# An id may look like a telephone number with marks between its digits: "RFQ-2026/0123/456/7890".
_REACHES_A_PERSON: Final = re.compile(rf"{_EMAIL.pattern}|(?<![\w+-])(?:\+[0-9]|0[0-9])[0-9 ]{{8,13}}(?!\w)")
_HALF_WIDTH: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
"""Full-width characters look like those of ASCII, and clients dial and mail to them."""


def without_contacts(text: str) -> str:
    """Replace addresses and telephone numbers by `[email removed]` and `[telephone removed]`."""
    return _replaced(_TELEPHONE, "[telephone removed]", _replaced(_EMAIL, "[email removed]", text))


def _replaced(pattern: re.Pattern[str], note: str, text: str) -> str:
    parts, end = [], 0
    for found in pattern.finditer(text.translate(_HALF_WIDTH)):
        parts += [text[end : found.start()], note]
        end = found.end()
    return "".join((*parts, text[end:]))


def redact(payload: PlanPayload) -> PlanPayload:
    """Return the payload without contacts in its texts; the same object if it has none."""
    changed: dict[str, object] = _redacted(payload, TEXTS)
    contract = getattr(payload, "current_contract", None)
    if contract and (parts := _redacted(contract, CONTRACT_TEXTS)):
        changed["current_contract"] = contract.model_copy(update=parts)
    quantity = getattr(payload, "quantity", None)
    if quantity and (parts := _redacted(quantity, {"unit": SHORT_TEXT_LENGTH})):
        changed["quantity"] = quantity.model_copy(update=parts)
    # A note would be the same for each plan, and plans with the same id count as one purchase.
    if _REACHES_A_PERSON.search((getattr(payload, "procurement", None) or "").translate(_HALF_WIDTH)):
        changed["procurement"] = None
    lots = getattr(payload, "lots", None) or ()
    if (without := _redacted_lines(lots, SHORT_TEXT_LENGTH)) != tuple(lots):
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


def redact_response(payload: ResponsePayload) -> ResponsePayload:
    """Return the response without contacts in its texts; the same object if it has none."""
    changed = _redacted(payload, RESPONSE_TEXTS)
    lines = getattr(payload, "candidates", ())
    if (without := _redacted_lines(lines, LINE_LENGTH)) != lines:
        changed["candidates"] = without
    return payload.model_copy(update=changed) if changed else payload


def shorten_response(stored: Mapping[str, object]) -> dict[str, object]:
    """Cut the texts of a stored response to their maximum length: earlier versions kept the longer replacements."""
    shortened = dict(stored)
    for name, longest in RESPONSE_TEXTS.items():
        if isinstance(text := stored.get(name), str):
            shortened[name] = text[:longest]
    if isinstance(lines := stored.get("candidates"), list):
        shortened["candidates"] = [line[:LINE_LENGTH] for line in lines]
    return shortened


def _redacted_lines(lines: Sequence[str], longest: int) -> tuple[str, ...]:
    """Return the lines without contacts; those that hold none stay as they are."""
    cleaned = ((line, without_contacts(line)) for line in lines)
    return tuple(line if line == without else without[:longest] for line, without in cleaned)


def _redacted(holder: Payload, texts: Mapping[str, int]) -> dict[str, object]:
    """Return the cleaned versions of the texts that held contacts."""
    changed: dict[str, object] = {}
    for name, longest in texts.items():
        text = getattr(holder, name, "") or ""
        if (redacted := without_contacts(text)) != text:
            changed[name] = redacted[:longest]
    return changed
