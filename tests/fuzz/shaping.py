"""Changes JSON as JSON: a leaf becomes something odd, a member goes, comes twice, or is put where another was."""

import json
import random
from contextlib import suppress
from typing import Any, Final

Place = tuple[Any, Any]
"""Something that holds, and the name or number under which it holds."""

ODD: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    1e308,
    2**53,
    10**30,
    "",
    " ",
    "\x00",
    "\ud800",
    "\u202e",
    "=?utf-8?q?=0d=0a?=",
    "9999-12-31",
    "0001-01-01",
    "2027-02-30",
    "2027-03-01T00:00:00+23:59",
    "1" * 5000,
    "A\u0301" * 2000,
    [],
    {},
    [[[[]]]],
    {"": {}},
    float("nan"),
    float("inf"),
)


def reshaped(data: bytes, chance: random.Random) -> bytes | None:
    """The input with the JSON at its end changed in one to three places; None where there is none."""
    head, gap, value = data.rpartition(b"\n\n")
    try:
        whole = json.loads(value)
    except (ValueError, RecursionError):
        return None
    for _ in range(chance.randrange(1, 4)):
        places = list(_places(whole))
        if not places:
            return None
        _change(*chance.choice(places), chance, places)
    with suppress(ValueError, RecursionError):
        return head + gap + json.dumps(whole, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    return None


def _places(whole: Any) -> list[Place]:
    """Every place in the value, found without recursion, however deep it is."""
    found: list[Place] = []
    left = [whole]
    while left and len(found) < 5000:
        holder = left.pop()
        if isinstance(holder, dict | list):
            inside: list[Place] = [(holder, at) for at in (holder if isinstance(holder, dict) else range(len(holder)))]
            found += inside
            left += [holder[at] for _, at in inside]
    return found


def _change(holder: Any, at: Any, chance: random.Random, places: list[Place]) -> None:
    kind = chance.randrange(5)
    if kind == 0:
        del holder[at]
    elif kind == 1:
        other, there = chance.choice(places)
        with suppress(LookupError):
            # A copy: a value that holds itself can't be written down.
            holder[at] = json.loads(json.dumps(other[there]))
    elif kind == 2 and isinstance(holder, list):
        holder[at:at] = [holder[at]] * chance.choice((1, 2, 100))
    elif kind == 3 and isinstance(holder[at], str):
        text = holder[at]
        cut = chance.randrange(len(text) + 1)
        holder[at] = text[:cut] + str(chance.choice(ODD)) + text[cut:]
    else:
        holder[at] = json.loads(json.dumps(chance.choice(ODD)))
