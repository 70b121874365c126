"""Makes as many plans as wanted, always the same for one seed, in which every plan has as many partners as in any
other number of them: `python -m tests.bench.generator --count 10000 --json` measures that.

What makes it so: a fixed pattern of needs, each had by a fixed number of authorities, is repeated as often as the
corpus is large, every time with new needs under invented names. Commonplace words, trades, CPV codes, authorities and
windows recur throughout. So search meets what it meets in real plans: the same need without a common window (about
twice as often as with one), the same trade with another thing wanted, the same
code and words with nothing else in common.

Sizes nest: the plans of 10,000 are among those of 100,000. They come in an order in which a need's plans are far apart.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import Any, Final

from events.plans import PlanPublished, PlanState, PlanUpdated
from matching.reference import Authority, authorities, neighbours
from tests.bench import vocabulary
from tests.bench.vocabulary import Need

AS_OF: Final = date(2026, 11, 22)
"""The day as of which windows are open and plans are to be judged."""

SHARED_BY: Final = tuple(map(int, "20 1 2 11 1 3 1 7 1 2 4 1 6 1 3 1 2 5 1 4 1 2 3 1 2 1 1 1 1 1 1 2".split()))  # noqa: SIM905
"""How many authorities have each need of the pattern; most have it alone, some a need of many."""

_PATTERN: Final = sum(SHARED_BY)
COPIED, LOOSE, UNCODED, REGIONAL = 0.07, 0.85, 0.55, 0.45
# Days from AS_OF to the window's start, and pounds, at these shares of the real plans.
_STARTS_AT = ((0.0, 42), (0.1, 72), (0.25, 195), (0.5, 390), (0.75, 568), (0.9, 660), (1.0, 769))
_POUNDS_AT = (
    (0.0, 5e2),
    (0.05, 2.2e4),
    (0.1, 3.4e4),
    (0.25, 8e4),
    (0.5, 6.6e5),
    (0.75, 3.7e6),
    (0.9, 1.85e7),
    (1.0, 4e8),
)
_LENGTHS = (89, 90, 91, 92, 150, 181, 183, 184)


def plans(count: int, seed: int = 1) -> Iterator[PlanPublished]:
    """The plans of a corpus of this size, one at a time, in the order in which they come in."""
    for place in range(count):
        yield PlanPublished.model_validate(_state(_shuffled(place, count, seed), seed))


def updates(count: int, changes: int, seed: int = 1) -> Iterator[PlanUpdated]:
    """Later revisions of plans of that corpus that change window, value or regions and never the text: each plan once
    before any twice. Revisions rise from 2."""
    return _later(count, changes, seed, updated)


def edits(count: int, changes: int, seed: int = 1) -> Iterator[PlanUpdated]:
    """Later revisions that change the text, in the manner of `updates`: one sentence more about the same need."""
    return _later(count, changes, seed, edited)


def updated(plan: PlanState, seed: int = 1) -> PlanUpdated:
    """The plan's next revision, with another window, value or regions and the same text."""
    chance = Random(f"{seed} {plan.plan_id} {plan.revision} updated")
    draw = chance.random()
    if draw < 0.5:
        days = timedelta(days=chance.choice((-1, 1)) * chance.randrange(14, 70))
        window = plan.tender_window
        # Not into the past: what has closed is no longer a plan to compare.
        days = abs(days) if window.earliest + days <= AS_OF else days
        moved = {"earliest": window.earliest + days, "latest": window.latest + days}
        return _next(plan, tender_window=moved)
    if draw < 0.8:
        return _next(plan, value={"amount": round(vocabulary.at(_POUNDS_AT, chance.random()), 2)})
    known = _by_code().get(plan.authority)
    other = _regions_of(known, chance) if known else ("UK",)
    return _next(plan, regions=other if other != plan.regions else ("UK",))


def edited(plan: PlanState, seed: int = 1) -> PlanUpdated:
    """The plan's next revision, with another sentence at the end of its description."""
    chance = Random(f"{seed} {plan.plan_id} {plan.revision} edited")
    more = f"Added to this are {chance.randrange(2, 90)} {vocabulary.invented(chance.randrange(2**20))} units."
    return _next(plan, description=f"{plan.description} {more}".strip())


def _next(plan: PlanState, **changed: Any) -> PlanUpdated:
    return PlanUpdated.model_validate({**plan.model_dump(), "revision": plan.revision + 1, **changed})


def _later(
    count: int, changes: int, seed: int, change: Callable[[PlanState, int], PlanUpdated]
) -> Iterator[PlanUpdated]:
    for number in range(changes):
        turn, place = divmod(number, count)
        plan: PlanState = PlanPublished.model_validate(_state(_shuffled(place, count, seed + 7919), seed))
        for _ in range(turn + 1):
            plan = change(plan, seed)
        assert isinstance(plan, PlanUpdated)
        yield plan


def _state(slot: int, seed: int) -> dict[str, Any]:
    """The first revision of the plan in a slot: which need it is of follows from the pattern, all else from chance."""
    number, member = need_of(slot)
    shared = Random(seed * 1_000_003 + number * 2 + 1)
    wanted = vocabulary.need(number, seed)
    home = shared.choices(_standing(), _sizes())[0]
    regional, level = shared.random() < REGIONAL, shared.random()
    chance = Random(seed * 1_000_003 + slot * 2)
    who = home if member == 0 else _another(home, regional, chance)
    start = AS_OF + timedelta(days=round(vocabulary.at(_STARTS_AT, chance.random())))
    renewal = chance.random() < 0.09
    return {
        "plan_id": f"{who.code}:G-{slot:07d}",
        "revision": 1,
        "authority": who.code,
        **_texts(wanted, who, chance, seed, number, member),
        "kind": "renewal" if renewal else "new",
        "stage": chance.choices(("planned", "engagement", "tendering"), (95, 4, 1))[0],
        "cpv": wanted.codes if chance.random() >= UNCODED else (),
        "tender_window": {"earliest": str(start), "latest": str(start + timedelta(days=chance.choice(_LENGTHS)))},
        "sharing": chance.choices(("open", "match_only", "private"), (970, 25, 5))[0],
        **_money(level, chance),
        **({"contract": _running(start, chance)} if renewal else {}),
        **({"regions": _regions_of(who, chance)} if chance.random() < 0.77 else {}),
    }


def _texts(wanted: Need, who: Authority, chance: Random, seed: int, number: int, member: int) -> dict[str, str]:
    own = chance.randrange(2**40) if member else _first(seed, number)
    copied = member > 0 and chance.random() < COPIED / (1 - SHARED_BY.count(1) / _PATTERN)
    loose = member > 0 and not copied and chance.random() < LOOSE
    # A copy is the words of another authority's plan with the own name in them.
    teller = Random(_first(seed, number) if copied else own)
    title = vocabulary.title(wanted, who.name, teller, loose=loose)
    told = vocabulary.description(wanted, who.name, teller, loose=loose)
    if copied and chance.random() < 0.5 and told.count(". ") > 1:
        told = told.rsplit(". ", 1)[0] + "."
    return {"title": title, "description": told}


def _first(seed: int, number: int) -> int:
    """What the words of a need's first plan are drawn from."""
    return seed * 7_368_787 + number


def _money(level: float, chance: Random) -> dict[str, Any]:
    if chance.random() < 0.24:
        return {}
    share = min(1.0, max(0.0, level + chance.uniform(-0.12, 0.12)))
    return {"value": {"amount": round(vocabulary.at(_POUNDS_AT, share), 2)}}


def _running(start: date, chance: Random) -> dict[str, Any]:
    end = start + timedelta(days=chance.randrange(90, 275))
    years = chance.choice((1, 2, 3, 4, 5))
    return {
        "start": str(end - timedelta(days=365 * years + 200)),
        "end": str(end),
        "extension_months": chance.choice((0, 0, 12, 24)),
    }


def _regions_of(who: Authority, chance: Random) -> tuple[str, ...]:
    code = chance.choice(who.regions) if who.regions else "UK"
    return (code[:3] if chance.random() < 0.1 else code,)


def need_number(plan_id: str) -> int:
    """The number of the need that a generated plan is of, by the slot at the end of its id."""
    return need_of(int(plan_id.rpartition("-")[2]))[0]


def need_of(slot: int) -> tuple[int, int]:
    """The number of the need that the plan in a slot is of, and which plan of that need this is, from 0."""
    turn, member = divmod(slot, _PATTERN)
    for place, size in enumerate(SHARED_BY):
        if member < size:
            return turn * len(SHARED_BY) + place, member
        member -= size
    raise AssertionError("a slot lies within the pattern")


def _another(home: Authority, regional: bool, chance: Random) -> Authority:
    """Another authority with the same need: for some needs from around, for others from anywhere."""
    near = _around(home.code) if regional else ()
    return chance.choice(near) if near else chance.choices(_standing(), _sizes())[0]


@cache
def _around(code: str) -> tuple[Authority, ...]:
    home = _by_code()[code]
    near = neighbours(code)
    regions = {region[:4] for region in home.regions}
    return tuple(
        a for a in _standing() if a.code != code and (a.code in near or regions & {region[:4] for region in a.regions})
    )


@cache
def _standing() -> tuple[Authority, ...]:
    return tuple(known for known in authorities() if known.end is None)


@cache
def _by_code() -> dict[str, Authority]:
    return {known.code: known for known in _standing()}


@cache
def _sizes() -> tuple[float, ...]:
    """How often each authority publishes: few do often, as in the real plans."""
    return tuple(1.0 / (10 + place * 37 % len(_standing())) for place in range(len(_standing())))


def _shuffled(place: int, count: int, seed: int) -> int:
    """A permutation of 0 to count - 1 that needs no memory: a Feistel network, walked until it is within range."""
    half = max(1, ((count - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = place >> half, place & mask
        for turn in range(4):
            mixed = (right * 0x9E3779B1 + (seed + turn) * 0x85EBCA6B) & 0xFFFFFFFF
            mixed = ((mixed ^ (mixed >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
            left, right = right, left ^ ((mixed >> 7) & mask)
        place = left << half | right
        if place < count:
            return place


def main() -> None:
    """Prints what a corpus is like, as measured by the engine on a sample."""
    from tests.bench.partners import measure

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", type=int, default=200, help="how many plans search among all")
    parser.add_argument("--model", default="hashing", help="the embedder; empty for the default model")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    given = parser.parse_args()
    found = measure(given.count, given.seed, given.sample, given.model)
    print(json.dumps(found, indent=None if given.json else 2))


if __name__ == "__main__":
    main()
