"""Names of suppliers: one key for the different spellings of a name. Pure."""

import re
from typing import Final

_LEGAL_FORMS: Final = frozenset(["ltd", "limited", "plc", "llp", "llc", "inc", "cic", "co", "company", "uk", "gb"])
_WORD: Final = re.compile(r"[^\W_]+")


def supplier_names(supplier: str) -> list[str]:
    """The suppliers of a contract; several are separated by semicolons."""
    return [name for part in supplier.split(";") if (name := " ".join(part.split()))]


def supplier_key(name: str) -> str:
    """A key shared by the usual spellings of one name: without case, punctuation, and a legal form at its end.

    >>> supplier_key("Northmoor Software (UK) Ltd.") == supplier_key("NORTHMOOR SOFTWARE LIMITED")
    True
    """
    words = _WORD.findall(name.casefold().replace("&", " and "))
    kept = list(words)
    while len(kept) > 1 and kept[-1] in _LEGAL_FORMS:
        kept.pop()
    return " ".join(kept)


def suppliers_key(supplier: str) -> str:
    """One key for all suppliers of a contract, in any order."""
    return "; ".join(sorted(supplier_key(name) for name in supplier_names(supplier)))
