"""The current contract of a register's row: its supplier, its product and its end."""

import re
from collections.abc import Mapping
from typing import Any, Final

from services.ingest.entries import plain
from services.ingest.register import cells
from services.ingest.register.amounts import Amounts, money
from services.ingest.register.dates import Dates

MAX_TEXT: Final = 300

_NAMED = re.compile(
    r"\b(?:product|system|software|application|solution|platform)(?:\s+(?:name|is|named|called|known as)|\s*[:-])+\s+"
    r"(?P<name>[A-Z0-9][\w+&.'-]*(?: (?:[A-Z0-9][\w+&.'-]*|for|of|and))*)"
)
_BRACKETS = re.compile(r"\((?P<name>[^()]{2,60})\)")
_NO_NAME = re.compile(
    r"\b(?:lots?|phase|call[- ]?off|framework|extension|vat|dps|g-?cloud|rm\d|yrs?|years?|months?|inc|excl?|various"
    r"|part|stage|formerly|previously|contract|agreement|\d{4})\b",
    re.IGNORECASE,
)
_BOILERPLATE = re.compile(
    r"^(?:the )?(?:contract for|agreement for|provision of|supply(?: and \w+)? of|purchase of|procurement of"
    r"|renewal of|replacement of|maintenance(?: and support)? of|support(?: and maintenance)?(?: of| for)"
    r"|licen[cs]es? for|hosting of|delivery of)\s+(?:an? |the )?"
    r"|\s+(?:contract|agreement|licen[cs]es?|subscriptions?|support(?: (?:and|&) maintenance)?"
    r"|maintenance(?: (?:and|&) support)?|renewal|extension|call[- ]?off)$",
    re.IGNORECASE,
)


def current_contract(row: Mapping[str, str], reference: str, when: Dates, amounts: Amounts, currency: str) -> Any:
    """Return the current contract; None in a pipeline that names no supplier."""
    supplier = suppliers(row.get("supplier", ""))
    if when.current_end is None and not supplier:
        return None
    return {
        "reference": reference[:MAX_TEXT],
        "supplier": supplier,
        "product": product_name(row),
        "end": when.current_end,
        "extension_months": when.contract.get("extension_months", 0),
        "annual_value": money(amounts.annual, currency),
    }


def suppliers(cell: str) -> str:
    """Return the suppliers of a cell, separated by semicolons; empty if it names none."""
    named = [" ".join(plain(part).split()) for part in re.split(r"[;\n|]", cell)]
    return "; ".join(dict.fromkeys(part for part in named if not cells.says_nothing(part)))[:MAX_TEXT]


def product_name(row: Mapping[str, str]) -> str:
    """Return the product supplied: from its column, else from the title or description, else the title without words
    common to all contracts.

    >>> product_name({"title": "HR and payroll system (iTrent)"})
    'iTrent'
    >>> product_name({"title": "Provision of agency staff contract"})
    'agency staff'
    """
    stated, title = row.get("product", ""), row.get("title", "")
    if not cells.says_nothing(stated):
        return _short(stated)
    if named := _NAMED.search(f"{title}\n{row.get('description', '')}"):
        return _short(named["name"])
    for bracket in _BRACKETS.finditer(title):
        name = bracket["name"].strip()
        if any(letter.isupper() for letter in name) and not _NO_NAME.search(name) and len(name.split()) <= 4:
            return _short(name)
    bare = title
    while (shorter := _BOILERPLATE.sub("", bare).strip(" -:,")) not in (bare, ""):
        bare = shorter
    return _short(bare)


def _short(name: str) -> str:
    return " ".join(plain(name).split())[:MAX_TEXT]
