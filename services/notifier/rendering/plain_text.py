"""Makes untrusted text safe for emails: one visible line in which an email program finds nothing to click on. Pure.

Email programs turn far more into links than addresses with a scheme: bare domains under some 1,500 top-level domains,
domains with the full stops of other scripts, mailboxes, telephone numbers, `//host`, UNC paths. So these rules go by
form and use no list: they split anything joined like a domain, and remove anything that looks like an address or
number.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final

from matching.reference import cpv_label

LINK: Final = "[link removed]"
EMAIL: Final = "[email removed]"
TELEPHONE: Final = "[telephone removed]"

_LOOSE_END: Final = re.compile(
    r"(?i)(?:[\s,;:&(/\u2013-]|(?<!\S)(?:a|an|and|at|by|for|from|in|of|on|or|the|to|with)(?!\S))+$"
)
_LINE_ENDS: Final = frozenset({"Cc", "Zl", "Zp", "Zs"})
_UNSEEN: Final = frozenset({"Cf", "Cs", "Co", "Cn"})
_JOINTS: Final = frozenset("./\\@:+-()[]~")
"""Characters that join the parts of an address or a number. Other scripts' forms of them are treated the same."""
_LOOKALIKES: Final = {
    **dict.fromkeys("\u2044\u2215\u29f8", "/"),
    **dict.fromkeys("\u2216\u29f5", "\\"),
    **dict.fromkeys("\u2212\u30fc", "-"),
    **dict.fromkeys("\u2053\u223c", "~"),
}

_LINK: Final = re.compile(r"(?i)\b[a-z][a-z0-9+.-]*:/+\S+|\bwww\.\S+")
_EMAIL: Final = re.compile(r"\S*@\S*\.[^\s.]\S*")
_SLASHES: Final = re.compile(r"([/\\])[/\\]+")
_COLON: Final = re.compile(r"(?<![0-9]):(?=\S)|:(?=[^\s0-9])")
_DOT: Final = re.compile(r"(?<=\S)\.(?=[^\s.,;:!?)\]}'\"\u2019\u201d\u2026])")
_DECIMAL: Final = re.compile(r"[0-9]+(?:\.[0-9]+){1,2}(?!\.?[0-9])")
_NUMBER: Final = re.compile(r"(?<![A-Za-z0-9])[+(]{0,3}[0-9](?:[ ().+/~\u2010-\u2015\[\]-]{0,4}[0-9]){6,}")
_DATE: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"|[0-9]{1,2}[/.-][0-9]{1,2}[/.-](?:19|20)[0-9]{2}"
    r"|(?:19|20)[0-9]{2}(?:[/\u2010-\u2015-](?:[0-9]{2}|(?:19|20)[0-9]{2}))?"
)
_CPV: Final = re.compile(r"([0-9]{8})(?:-[0-9])?")
_RANGE: Final = frozenset("-\u2010\u2011\u2012\u2013\u2014\u2015/")


def sanitise(text: str, limit: int = 200) -> str:
    """Reduce untrusted text to one line of visible characters with nothing to click on, at most `limit` long.

    Line breaks could forge headers or lines of our own. Bidirectional marks could reverse the text that follows. A link
    in somebody's title would look like ours. Email programs decode an encoded word ("=?utf-8?q?=0d=0a...?=") in a
    subject, including its line breaks.
    """
    return truncate(" ".join(_unlinked(visible(text)).replace("=?", "= ?").split()), limit)


def visible(text: str) -> str:
    """Remove invisible characters, on one line; convert joints of addresses and all digits to ASCII."""
    return "".join(map(_visible, text))


def truncate(text: str, limit: int) -> str:
    """Cut text to at most `limit` characters, between words if a quarter of that remains.

    The cut text never ends in "and", "of" or the like: "Payroll and…" reads as a slip.
    """
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    space = head.rfind(" ")
    kept = head[:space] if space > limit * 0.25 else head
    return (_LOOSE_END.sub("", kept) or kept) + "…"


@lru_cache(maxsize=10_000)
def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in _LINE_ENDS:
        return " "
    if category in _UNSEEN:
        return ""
    if category == "Nd":
        return str(unicodedata.digit(character))
    if character.isascii():
        return character
    if "FULL STOP" in unicodedata.name(character, ""):
        return "."
    folded = unicodedata.normalize("NFKC", character)
    # An ellipsis joins nothing; "\u2105" (c/o) and "\u2488" (1.) do.
    return _LOOKALIKES.get(character) or (folded if _JOINTS & set(folded) and character != "…" else character)


def _unlinked(text: str) -> str:
    text = _EMAIL.sub(EMAIL, _LINK.sub(LINK, text)).replace("@", " at ")
    text = _NUMBER.sub(_number, text)
    text = _COLON.sub(": ", _SLASHES.sub(r"\1", text))
    return _DOT.sub(lambda dot: "." if _in_decimal(text, dot.start()) else ". ", text)


def _in_decimal(text: str, at: int) -> bool:
    """Whether the full stop at a position belongs to a number such as 2.5 or 10.2.1; four parts are an IP address."""
    start = at
    while start > 0 and text[start - 1] in "0123456789.":
        start -= 1
    found = _DECIMAL.match(text, start)
    return found is not None and found.start() < at < found.end()


def _number(found: re.Match[str]) -> str:
    """Keep a run of digits if it is dates, a CPV code or money; anything else might be a telephone number."""
    digits = found[0]
    money = found.start() > 0 and unicodedata.category(found.string[found.start() - 1]) == "Sc"
    if money and digits.isdecimal():
        return digits
    parts = [part.strip("()[]") for part in digits.split(" ") if part]
    known = all(part in _RANGE or _DATE.fullmatch(part) or _is_cpv(part) for part in parts)
    return digits if known else TELEPHONE


def _is_cpv(part: str) -> bool:
    code = _CPV.fullmatch(part)
    return code is not None and cpv_label(code[1]) is not None
