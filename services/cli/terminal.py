"""Text of others on a terminal: nothing in it may steer the terminal or turn the reading order round."""

import unicodedata
from typing import Final

_STEERING: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


def plain(text: str, longest: int | None = None) -> str:
    """One line without control, format or bidirectional characters; cut with an ellipsis where too long."""
    spaced = " ".join(text.split())
    kept = "".join(c for c in spaced if unicodedata.category(c) not in _STEERING)
    return kept if longest is None or len(kept) <= longest else kept[: longest - 1] + "\u2026"


def rendered(data: bytes, longest: int = 4096) -> str:
    """Bytes as one line of text: what can be printed as it is, the rest as escapes; cut where too long."""
    text = data[:longest].decode("utf-8", errors="backslashreplace")
    shown = "".join(c if _printable(c) else c.encode("unicode_escape").decode("ascii") for c in text)
    return shown if len(data) <= longest else f"{shown}\u2026 ({len(data) - longest} bytes more)"


def _printable(character: str) -> bool:
    return unicodedata.category(character) not in _STEERING
