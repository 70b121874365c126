"""Ten stories: four councils each with one need, from the first plan to whatever became of it."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final

from tests.year.acts import COUNCILS, DAYS, ELMBRIDGE, GUILDFORD, WEST_SURREY, Need, PlanEvent, Said, gone, plan

STORIES: Final = (
    Need("HR", "Replacement of the HR and payroll system", "48450000", date(2027, 6, 1)),
    Need("LIB", "Library management software and self service kiosks", "48161000", date(2027, 9, 1)),
    Need("PARK", "Parking enforcement cameras and back office", "35125300", date(2027, 5, 1)),
    Need("MEALS", "School meals catering", "55523100", date(2027, 6, 1)),
    Need("GRIT", "Highways winter gritting salt", "34927100", date(2027, 1, 1), 300_000),
    Need("FLEET", "Refuse collection vehicles", "34144510", date(2027, 8, 1)),
    Need("CASH", "Cash receipting and payment gateway", "48440000", date(2027, 7, 1)),
    Need("CCTV", "Public space CCTV monitoring equipment", "35125300", date(2027, 9, 1)),
    Need("TEL", "Cloud telephony and contact centre", "64210000", date(2027, 10, 1)),
    Need("PLAN", "Planning and building control casework system", "48600000", date(2027, 7, 1)),
)
"""From the HR system, which is awarded together, to a planning system of councils that are dissolved."""


def member(key: str, number: int) -> str:
    """The plan of one of the four councils of a story."""
    at = [one.key for one in STORIES].index(key)
    if key == "PLAN":
        council = (COUNCILS[0], GUILDFORD, ELMBRIDGE, COUNCILS[1])[number]
    else:
        council = COUNCILS[4 * at % 36 + number]
    return f"{council}:{key}"


_PUBLISHED: Final = {
    "HR": 0, "LIB": 1, "PARK": 2, "MEALS": 3, "GRIT": 8, "FLEET": 5, "CASH": 6, "CCTV": 7, "TEL": 9, "PLAN": 4
}  # fmt: skip
"""The day on which each story begins, by its number in `DAYS`."""

_UPDATES: Final[Sequence[tuple[str, int, int, dict[str, Any]]]] = (
    # Story, member, day, what changes; the HR system's tender is one notice for all four.
    ("HR", 1, 14, {}),
    ("HR", 2, 21, {"value": {"amount": 1_250_000}}),
    ("HR", 0, 31, {"stage": "tendering"}),
    ("PARK", 0, 28, {"stage": "tendering"}),
    ("PARK", 1, 29, {"stage": "tendering"}),
    ("MEALS", 3, 30, {"stage": "tendering"}),
    ("GRIT", 2, 20, {"stage": "tendering"}),
    ("FLEET", 1, 15, {"sharing": "private"}),
    ("CASH", 0, 19, {"value": None}),
    ("CCTV", 3, 24, {"stage": "engagement"}),
    ("TEL", 1, 16, {"tender_window": {"earliest": date(2029, 1, 1), "latest": date(2029, 4, 1)}}),
    ("PLAN", 3, 33, {"stage": "tendering"}),
)
_ENDS: Final[Sequence[tuple[str, int, int, bool]]] = (
    # Story, member, day, and whether it is awarded. Surrey's plans go before its councils do.
    ("HR", 0, 37, True),
    ("HR", 1, 37, True),
    ("PARK", 0, 36, True),
    ("GRIT", 2, 26, True),
    ("TEL", 2, 20, False),
    ("PLAN", 1, 25, False),
    ("PLAN", 2, 25, False),
)


def story_plans() -> Iterator[PlanEvent]:
    """The plan events of all stories."""
    for need in STORIES:
        for number in range(4):
            yield from _life(need, number)
    # The successor publishes Guildford's plan as its own.
    yield PlanEvent(DAYS[26], plan(f"{WEST_SURREY}:PLAN", STORIES[-1]))


def _life(need: Need, number: int) -> Iterator[PlanEvent]:
    plan_id, changes = member(need.key, number), dict[str, Any]()
    if need.key == "TEL" and number == 0:
        changes["sharing"] = "match_only"
    if need.key == "CASH" and number > 1:  # Two councils for one summer, two for the next but one.
        changes["tender_window"] = {"earliest": date(2029, 5, 1), "latest": date(2029, 9, 1)}
    yield PlanEvent(DAYS[_PUBLISHED[need.key]], plan(plan_id, need, **changes))
    revision = 1
    for key, who, day, more in sorted(_UPDATES, key=lambda one: one[2]):
        if (key, who) == (need.key, number):
            revision, changes = revision + 1, changes | more
            yield PlanEvent(DAYS[day], plan(plan_id, need, revision, **changes))
    for key, who, day, awarded in _ENDS:
        if (key, who) == (need.key, number):
            yield PlanEvent(DAYS[day], gone(plan_id, revision + 1, awarded=awarded))


def _said(key: str, who: int, day: int, kind: str, **more: Any) -> Said:
    return Said(DAYS[day], member(key, who), kind, **more)


STORY_ANSWERS: Final = (
    # HR: from interest to a joint award.
    _said("HR", 1, 1, "interested"),
    _said("HR", 2, 1, "interested"),
    _said("HR", 0, 2, "invited"),
    *(_said("HR", who, 3, "accept") for who in (1, 2, 3)),
    _said("HR", 1, 4, "commit"),
    # Library: nobody answers in time, and one answers late.
    _said("LIB", 0, 3, "invited", said={"reply_days": 10}),
    _said("LIB", 1, 8, "accept", counts=False),
    # Parking: one accepts, one declines, one joins late, one leaves.
    _said("PARK", 0, 4, "invited", said={"plan_ids": [member("PARK", 1), member("PARK", 2)]}),
    _said("PARK", 1, 5, "accept"),
    _said("PARK", 2, 5, "decline"),
    _said("PARK", 3, 7, "join"),
    _said("PARK", 1, 12, "leave"),
    # Meals: answers, no invitation; one is taken back.
    _said("MEALS", 1, 5, "not-this-time", said={"reason": "capacity"}),
    _said("MEALS", 0, 5, "interested"),
    _said("MEALS", 3, 6, "interested", undone=True),
    _said("MEALS", 2, 6, "other-dates"),
    # Salt: an invitation that leaves three weeks.
    _said("GRIT", 0, 12, "invited"),
    _said("GRIT", 1, 13, "accept"),
    # Vehicles: one answers the invitation with "not this time"; who has accepted has to leave to be out.
    _said("FLEET", 0, 7, "invited"),
    *(_said("FLEET", who, 8, "accept") for who in (1, 3)),
    _said("FLEET", 2, 8, "not-this-time", said={"reason": "local-decision"}),
    _said("FLEET", 3, 10, "not-this-time", counts=False),
    # Payments: two councils make a pair a coalition.
    _said("CASH", 0, 8, "invited", about="pair", partner=member("CASH", 1)),
    _said("CASH", 1, 9, "accept"),
    # CCTV: a pair that is none, and one that is.
    _said("CCTV", 0, 10, "not-the-same", about="pair", partner=member("CCTV", 1), said={"reason": "different-product"}),
    _said("CCTV", 2, 10, "interested", about="pair", partner=member("CCTV", 3)),
    _said("CCTV", 3, 11, "interested", about="pair", partner=member("CCTV", 2)),
    # Planning: two of the four councils are dissolved.
    _said("PLAN", 0, 6, "invited"),
    *(_said("PLAN", who, 7, "accept") for who in (1, 2, 3)),
)
