"""Caps on one email's matches with one plan or authority, and on the authorities that learn of a plan in a day. Pure.

They keep an authority from filling others' emails with copies of a plan, or with a plan that matches everything. A
match
over a cap comes in a later email. The opportunities themselves do not depend on caps.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

REACH_SPAN: Final = timedelta(days=1)


class Cap(StrEnum):
    """A cap on one email or, for `REACH`, on the authorities that learn of a plan in a day."""

    PLAN = "plan"
    AUTHORITY = "authority"
    REACH = "reach"
    NEAR_MISS = "near-miss"


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of one email: `per_plan` and `per_authority` are the most matches with one plan of another authority, and
    with all of its plans. `near_misses` is the most near misses for one of the reader's plans.

    `reach` is the most authorities that are emailed about one plan within `REACH_SPAN`.
    """

    per_plan: int = 5
    per_authority: int = 20
    reach: int = 30
    near_misses: int = 2


@dataclass(frozen=True, slots=True)
class CapCandidate:
    """An intent about another authority's plan. The greatest `strength` goes first.

    `near_miss_of`: the reader's own plan if the two tender windows do not overlap, otherwise empty.
    """

    intent_id: int
    partner: str
    plan_id: str
    strength: tuple[int, float]
    near_miss_of: str = ""


def exceeding_caps(found: Iterable[CapCandidate], caps: Caps, reached: Mapping[str, int]) -> dict[int, Cap]:
    """The intents over a cap, and which cap. The strongest stay within.

    `reached` is the number of authorities already emailed about each plan; leave it empty to ignore reach.
    """
    plans: Counter[str] = Counter()
    partners: Counter[str] = Counter()
    near: Counter[str] = Counter()
    left: dict[int, Cap] = {}
    for about in _strongest_first(found):
        if reached.get(about.plan_id, 0) >= caps.reach:
            left[about.intent_id] = Cap.REACH
        elif plans[about.plan_id] >= caps.per_plan:
            left[about.intent_id] = Cap.PLAN
        elif partners[about.partner] >= caps.per_authority:
            left[about.intent_id] = Cap.AUTHORITY
        elif about.near_miss_of and near[about.near_miss_of] >= caps.near_misses:
            left[about.intent_id] = Cap.NEAR_MISS
        else:
            near[about.near_miss_of] += 1
            plans[about.plan_id] += 1
            partners[about.partner] += 1
    return left


def spread(found: Iterable[CapCandidate], caps: Caps) -> dict[int, int]:
    """The number of the coming email that carries each intent; 0 is the next one.

    The strongest come first, and no email is over a cap. So the next email has to look only at its own intents.
    """
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
