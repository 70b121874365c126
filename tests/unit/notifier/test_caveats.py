"""Every reason that speaks against a pair reaches the reader of its email, whatever the engine says."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from matching.plan import Window
from matching.scorer import NATURES
from services.notifier.rendering import mail_view, phrases
from services.notifier.rendering.opportunity_view import opportunity_view
from tests.unit.matching.builders import AS_OF, CAMDEN, GLASGOW, LEEDS, YORK, engine, features, plan
from tests.unit.notifier.making import side, state

CALLED_OFF = {"title": "Call-off from a framework for HR and payroll"}
LONG_GONE = {"tender_window": Window(AS_OF, date(2027, 2, 28))}


def reasons(one: dict[str, Any] | None = None, other: dict[str, Any] | None = None) -> tuple[str, ...]:
    """The engine's reasons for two plans that are alike but for these changes."""
    a, b = ({"authority": authority, **(changes or {})} for authority, changes in ((LEEDS, one), (YORK, other)))
    return engine().assess(features(plan(**a)), features(plan(**b)), AS_OF).reasons


def nature(name: str) -> tuple[float, ...]:
    return tuple(0.9 if one == name else 0.01 for one in NATURES)


def of_two_natures() -> tuple[str, ...]:
    a, b = features(plan(LEEDS)), features(plan(YORK))
    return engine().assess(replace(a, nature=nature("hire")), replace(b, nature=nature("goods")), AS_OF).reasons


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (reasons({"value": 100_000.0}, {"value": 30_000_000.0}), "One is worth 300 times the other"),
        (reasons(other={"tender_window": Window(date(2027, 9, 17), date(2027, 11, 30))}), "The two windows share only"),
        (reasons(LONG_GONE, LONG_GONE), "both had to decide by"),
        (reasons(CALLED_OFF), "framework"),
        (reasons(CALLED_OFF, CALLED_OFF), "framework"),
        (reasons(other={"authority": GLASGOW}), "under Scottish procurement law"),
        (of_two_natures(), "reads as"),
    ],
)
def test_what_speaks_against_a_pair_is_told(found: tuple[str, ...], says: str) -> None:
    assert any(says in reason for reason in found), found
    assert says in phrases.caveats(found)
    assert says not in phrases.why(found, ended=False)


@pytest.mark.parametrize("other", [{}, {"authority": CAMDEN}, {"authority": GLASGOW}, {"title": "Payroll bureau"}])
def test_a_reason_for_a_pair_is_no_caveat(other: dict[str, Any]) -> None:
    found = reasons(other=other)
    caveats = phrases.caveats(found)
    assert "procurement law" in caveats if other.get("authority") == GLASGOW else caveats == "", found
    why = phrases.why(found, ended=False)
    assert why
    assert "England" not in why
    assert "nations" not in why


def test_a_caveat_names_its_council() -> None:
    far = ("Both plans have the same need, payroll.", "One is worth 30 times the other (£1 and £30).")
    items = [
        opportunity_view(state(side(LEEDS), side(code), **fields), LEEDS, "digest", change, name, None)
        for code, name, change, fields in (
            ("E08000032", "Bradford", "new", {"reasons": far}),
            ("E08000034", "Kirklees", "new", {}),
            ("E06000014", "York", "withdrawn", {"reasons": far, "status": "withdrawn", "material": 2}),
        )
    ]
    letter = mail_view.email_view(LEEDS, "Leeds", "digest", items, date(2026, 11, 23))
    (block,) = letter.blocks
    assert "Check with Bradford: One is worth 30 times the other (£1 and £30)." in block.notes
    assert [one.caveats for one in items] == [far[1], "", ""]
