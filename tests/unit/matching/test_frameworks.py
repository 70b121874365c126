"""Frameworks and plans: whose scope covers what, on which day, and for whom."""

from dataclasses import replace
from datetime import date
from itertools import permutations
from typing import Any

import pytest

from matching.frameworks import (
    AwardMethod,
    Coverage,
    FrameworkLot,
    Term,
    covering,
    day_of_need,
    is_entitled,
    say_coverage,
    term_on,
    to_plan,
    usable_frameworks,
)
from tests.unit.matching.builders import GLASGOW, LEEDS, YORK, engine, features, plan

HR: dict[str, Any] = {
    "framework": "EX-1",
    "title": "HR and payroll software",
    "owner": "Example Purchasing",
    "scope": "Human resources and payroll software for councils, with self service for managers and employees.",
    "cpv": ("48450000",),
    "starts": date(2026, 1, 1),
    "ends": date(2028, 12, 31),
    "entitled": (),
    "source": "an example",
}
TYRES = HR | {
    "framework": "EX-2",
    "title": "Tyres",
    "scope": "Supply and fitting of tyres for lorries and vans.",
    "cpv": ("34350000",),
}


def _lot(**changes: Any) -> FrameworkLot:
    return FrameworkLot(**{**HR, **changes})


def _covering(*lots: FrameworkLot, authority: str = LEEDS) -> list[Coverage]:
    judged = [(lot, features(to_plan(lot))) for lot in lots]
    return covering(features(plan(authority)), judged, engine().policy)


def test_a_scope_that_names_the_need_covers_it() -> None:
    (found,) = _covering(_lot(), FrameworkLot(**TYRES))
    assert (found.lot.framework, found.usable, found.entitled) == ("EX-1", True, True)
    assert "hr" in " ".join(found.needs).lower()


@pytest.mark.parametrize(
    ("changes", "term"),
    [
        ({}, Term.RUNNING),
        ({"starts": date(2027, 10, 1)}, Term.NOT_BEGUN),
        ({"starts": date(2027, 9, 30)}, Term.RUNNING),
        ({"ends": date(2027, 9, 30)}, Term.RUNNING),
        ({"ends": date(2027, 9, 29)}, Term.ENDED),
        ({"ends": date(2027, 9, 29), "extended_until": date(2027, 9, 30)}, Term.IF_EXTENDED),
        ({"ends": date(2026, 9, 29), "extended_until": date(2027, 9, 29)}, Term.ENDED),
        ({"ends": None}, Term.UNKNOWN),
    ],
)
def test_the_day_of_need_decides_not_today(changes: dict[str, Any], term: Term) -> None:
    lot = _lot(**changes)
    assert day_of_need(plan()) == date(2027, 9, 30)
    assert term_on(lot, day_of_need(plan())) is term
    (found,) = _covering(lot)
    assert found.usable is (term in (Term.RUNNING, Term.IF_EXTENDED, Term.UNKNOWN))


@pytest.mark.parametrize(
    ("entitled", "authority", "may"),
    [
        ((), LEEDS, True),
        (None, LEEDS, None),
        ((LEEDS,), LEEDS, True),
        ((YORK,), LEEDS, False),
        (("TLE",), LEEDS, True),
        (("TLE",), GLASGOW, False),
        (("UK",), GLASGOW, True),
        (("TLM", YORK), YORK, True),
        # North Yorkshire Council succeeded Selby.
        (("E07000169",), "E06000065", True),
        (("UK",), "GB-PPON-PDTL-7248-GWZW", False),
        (("GB-PPON-PDTL-7248-GWZW",), "GB-PPON-PDTL-7248-GWZW", True),
    ],
)
def test_who_may_use_it(entitled: tuple[str, ...] | None, authority: str, may: bool | None) -> None:
    assert is_entitled(_lot(entitled=entitled), authority) is may


WORKS = TYRES | {"framework": "EX-3", "title": "Vehicles and parts"}


@pytest.mark.parametrize(
    ("of_lot", "of_plan", "general"),
    [
        ("79000000", "79631000", True),
        ("79600000", "79631000", True),
        ("79630000", "79631000", False),
        ("79600000", "79500000", False),
        ("30000000", "30125000", True),
        ("30000000", "31000000", False),
    ],
)
def test_a_lot_for_a_whole_market_is_a_general_one(of_lot: str, of_plan: str, general: bool) -> None:
    lots = [FrameworkLot(**WORKS | {"cpv": (of_lot,)}), _lot()]
    judged = [(lot, features(to_plan(lot))) for lot in lots]
    found = covering(features(replace(plan(), cpv=(of_plan,))), judged, engine().policy)
    assert [(one.lot.framework, one.general) for one in found] == [("EX-1", False), ("EX-3", True)][: 1 + general]
    assert list(usable_frameworks(plan(), found)) == ["EX-1"]
    if general:
        assert say_coverage(found[1])[0] == "It is for a whole market: ask whether it has what you need."


def test_the_usable_come_first_in_any_order() -> None:
    lots = [_lot(lot="1", entitled=(YORK,)), _lot(lot="2", scope=HR["scope"] + " Also recruitment."), _lot(lot="3")]
    orders = {tuple(found.lot.lot for found in _covering(*order)) for order in permutations(lots)}
    assert len(orders) == 1
    assert next(iter(orders))[-1] == "1"


def test_what_is_said_before_it_is_used() -> None:
    extended = _lot(
        ends=date(2027, 1, 31),
        extended_until=date(2029, 1, 31),
        entitled=None,
        award=AwardMethod.COMPETITION,
        fee_percent=0.5,
    )
    (found,) = _covering(extended)
    assert say_coverage(found) == [
        "It ends on 31 January 2027 and can be extended until 31 January 2029.",
        "Ask Example Purchasing whether you may use it.",
        "A further competition is held: councils can hold it together.",
        "Example Purchasing charges a fee of 0.5 per cent.",
    ]
