"""How much of an email may be about one plan or one authority, and how many may hear of a plan at once. Pure.

Nobody can fill others' emails with copies of a plan, or with one that is made to match everything: what is over a cap
is told later. Which opportunities there are does not depend on it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

Cap = Literal["plan", "authority", "reach", "near-miss"]

REACH_SPAN: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Caps:
    """`per_plan`, `per_authority`: most matches with one plan of another authority, and with all of its plans, that
    one email tells. `reach`: most authorities that are told of one plan at once within `REACH_SPAN`. `near_misses`:
    most near misses in time with one of the reader's plans that one email tells."""

    per_plan: int = 5
    per_authority: int = 20
    reach: int = 30
    near_misses: int = 2


@dataclass(frozen=True, slots=True)
class CapCandidate:
    """What an intent tells of: another authority's plan. `strength` is greater for what is told first. `near_miss_of`:
    the reader's own plan where the two windows do not meet, else empty."""

    intent_id: int
    partner: str
    plan_id: str
    strength: tuple[int, float]
    near_miss_of: str = ""


def exceeding_caps(found: Iterable[CapCandidate], caps: Caps, reached: Mapping[str, int]) -> dict[int, Cap]:
    """The intents that are over a cap, and which; the strongest are within. `reached` says how many other
    authorities have been told of a plan; where nobody counts, leave it empty."""
    plans: Counter[str] = Counter()
    partners: Counter[str] = Counter()
    near: Counter[str] = Counter()
    left: dict[int, Cap] = {}
    for about in _strongest_first(found):
        if reached.get(about.plan_id, 0) >= caps.reach:
            left[about.intent_id] = "reach"
        elif plans[about.plan_id] >= caps.per_plan:
            left[about.intent_id] = "plan"
        elif partners[about.partner] >= caps.per_authority:
            left[about.intent_id] = "authority"
        elif about.near_miss_of and near[about.near_miss_of] >= caps.near_misses:
            left[about.intent_id] = "near-miss"
        else:
            near[about.near_miss_of] += 1
            plans[about.plan_id] += 1
            partners[about.partner] += 1
    return left


def spread(found: Iterable[CapCandidate], caps: Caps) -> dict[int, int]:
    """In which of the emails to come each intent is told: 0 is the next one. The strongest come first, and no email is
    over a cap. So an email looks at what it tells, not at all that waits."""
    plans: defaultdict[str, Counter[int]] = defaultdict(Counter)
    partners: defaultdict[str, Counter[int]] = defaultdict(Counter)
    near: defaultdict[str, Counter[int]] = defaultdict(Counter)
    first: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    mails: dict[int, int] = {}
    for about in _strongest_first(found):
        of_plan, of_partner = plans[about.plan_id], partners[about.partner]
        of_own = near[about.near_miss_of] if about.near_miss_of else Counter[int]()
        while of_partner[first[about.partner]] >= caps.per_authority:
            first[about.partner] += 1
        number = max(first[about.partner], totals[about.plan_id] // caps.per_plan)
        while (
            of_plan[number] >= caps.per_plan
            or of_partner[number] >= caps.per_authority
            or of_own[number] >= caps.near_misses
        ):
            number += 1
        totals[about.plan_id] += 1
        of_plan[number] += 1
        of_partner[number] += 1
        of_own[number] += 1
        mails[about.intent_id] = number
    return mails


def _strongest_first(found: Iterable[CapCandidate]) -> list[CapCandidate]:
    return sorted(found, key=lambda about: (*(-part for part in about.strength), about.intent_id))
