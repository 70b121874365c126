"""A reorganisation: whole and divided authorities, pairs that become one, and contracts that need consent."""

from collections import Counter
from datetime import date
from typing import Any

import pytest

from matching.reference import authority
from matching.successions import Succession, SuccessionKind, decided
from services.domain.reorganisation import (
    AffectedPlan,
    Destination,
    SuccessorConsent,
    consent_for,
    name_on,
    preview,
    waits_for_person,
)
from tests.support.successions import in_effect

DAY = date(2027, 4, 1)
WHOLE, PART, CONTINUING = SuccessionKind


def _succession(before: str, after: str, kind: SuccessionKind = WHOLE, starts: date = DAY) -> Succession:
    return Succession(before, after, f"{after} Council", starts, kind, "an order")


def _plan(plan_id: str, **changes: Any) -> AffectedPlan:
    values = {
        "title": "HR",
        "opens": date(2026, 12, 1),
        "contract_end": date(2030, 3, 31),
        "value": 200_000.0,
        "capital": False,
    }
    return AffectedPlan(plan_id=plan_id, authority=plan_id.split(":")[0], **(values | changes))


SUCCESSIONS = [
    _succession("A", "NEW"),
    _succession("B", "NEW"),
    _succession("C", "NEW", PART),
    _succession("C", "OTHER", PART),
    _succession("D", "NEW", CONTINUING),
    _succession("E", "LATER", starts=date(2028, 4, 1)),
]


def test_plans_go_to_the_successor_or_wait_and_pairs_become_one() -> None:
    plans = [_plan(f"{code}:1") for code in "ABCDE"]
    pairs = [("1", "A:1", "B:1"), ("2", "A:1", "C:1"), ("3", "A:1", "D:1"), ("4", "B:1", "E:1"), ("5", "A:1", "X:1")]
    found = preview(SUCCESSIONS, DAY, plans, pairs, ["A", "OTHER"])
    assert [(one.plan.plan_id, one.destination, one.successors) for one in found.moves] == [
        ("A:1", Destination.SUCCESSOR, ("NEW",)),
        ("B:1", Destination.SUCCESSOR, ("NEW",)),
        ("C:1", Destination.WAITS, ("NEW", "OTHER")),
    ]
    assert [(one.opportunity_id, one.successor, one.certain) for one in found.mergers] == [
        ("1", "NEW", True),
        ("2", "NEW", False),
    ]
    assert [(one.authority, one.reachable, one.unreachable) for one in found.addressees] == [
        ("A", (), ("NEW",)),
        ("B", (), ("NEW",)),
        ("C", ("OTHER",), ("NEW",)),
    ]


def test_it_depends_on_no_order() -> None:
    plans, pairs = [_plan("A:1"), _plan("C:1")], [("2", "A:1", "C:1")]
    assert (
        preview(SUCCESSIONS, DAY, plans, pairs, []).moves
        == preview(SUCCESSIONS[::-1], DAY, plans[::-1], pairs, []).moves
    )


@pytest.mark.parametrize(
    ("changes", "consent"),
    [
        ({}, SuccessorConsent.NEEDED),
        ({"contract_end": DAY}, SuccessorConsent.NEEDED),
        ({"contract_end": date(2027, 3, 31)}, SuccessorConsent.NOT_NEEDED),
        ({"opens": DAY}, SuccessorConsent.NOT_NEEDED),
        ({"value": 100_000.0}, SuccessorConsent.NOT_NEEDED),
        ({"capital": True}, SuccessorConsent.NOT_NEEDED),
        ({"capital": True, "value": 1_000_000.01}, SuccessorConsent.NEEDED),
        ({"value": None}, SuccessorConsent.UNKNOWN),
        ({"contract_end": None}, SuccessorConsent.UNKNOWN),
        ({"contract_end": None, "value": 90_000.0}, SuccessorConsent.NOT_NEEDED),
    ],
)
def test_what_needs_the_successor_s_consent(changes: dict[str, Any], consent: SuccessorConsent) -> None:
    assert consent_for(_plan("A:1", **changes), DAY) is consent


def test_surrey_is_shipped_with_every_council_in_it() -> None:
    found = [one for one in decided() if one.starts == DAY]
    assert Counter((one.successor_name, one.kind) for one in found) == {
        ("East Surrey Council", WHOLE): 5,
        ("West Surrey Council", WHOLE): 6,
        ("East Surrey Council", PART): 1,
        ("West Surrey Council", PART): 1,
    }
    county = authority("E10000030")
    assert county is not None
    assert {one.predecessor for one in found if one.kind is WHOLE} == set(county.districts)


def test_plans_of_an_ended_council_wait_for_a_named_successor() -> None:
    mendip, day = "E07000187", date(2026, 11, 26)
    assert waits_for_person(mendip, day)
    with in_effect(_succession(mendip, "NEW", starts=date(2023, 4, 1))):
        assert not waits_for_person(mendip, day)
        assert name_on(mendip, day) == "NEW Council (for Mendip)"
    with in_effect(*(_succession(mendip, after, PART, date(2023, 4, 1)) for after in ("NEW", "OTHER"))):
        assert waits_for_person(mendip, day)
