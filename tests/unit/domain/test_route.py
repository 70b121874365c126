"""Route records: the last entry of a step counts, and a new contract shows what nobody has looked at."""

from dataclasses import replace
from datetime import date

import pytest

from events.responses import RouteOutcome, RouteStep
from services.domain.route import RouteEntry, build_coalition_routes, build_record
from services.domain.route_prompt import consider_line, route_lines

DAY = date(2026, 12, 1)
FRAMEWORK, JOINT, COALITION, NEW = RouteStep
CHOSEN, UNSUITABLE, NONE_FOUND, NOT_CHECKED = RouteOutcome


def _entry(step: RouteStep, outcome: RouteOutcome, by: str = "Category manager") -> RouteEntry:
    return RouteEntry(step, outcome, DAY, by, "E08000035", DAY)


@pytest.mark.parametrize(
    ("entries", "chosen", "missing"),
    [
        ([], None, (FRAMEWORK, COALITION)),
        ([(NEW, CHOSEN)], NEW, (FRAMEWORK, COALITION)),
        ([(NEW, CHOSEN), (FRAMEWORK, UNSUITABLE)], NEW, (COALITION,)),
        ([(FRAMEWORK, NOT_CHECKED), (COALITION, NONE_FOUND), (NEW, CHOSEN)], NEW, (FRAMEWORK,)),
        ([(FRAMEWORK, UNSUITABLE), (COALITION, NONE_FOUND), (NEW, CHOSEN)], NEW, ()),
        ([(FRAMEWORK, CHOSEN)], FRAMEWORK, ()),
        ([(JOINT, CHOSEN)], JOINT, (FRAMEWORK,)),
        ([(COALITION, CHOSEN)], COALITION, (FRAMEWORK,)),
    ],
)
def test_what_is_chosen_and_what_is_missing_before_it(
    entries: list[tuple[RouteStep, RouteOutcome]], chosen: RouteStep | None, missing: tuple[RouteStep, ...]
) -> None:
    record = build_record(_entry(*one) for one in entries)
    assert (record.chosen, record.missing) == (chosen, missing)


def test_the_last_entry_of_a_step_counts() -> None:
    record = build_record([_entry(NEW, CHOSEN), _entry(FRAMEWORK, NOT_CHECKED), _entry(FRAMEWORK, CHOSEN, "Head")])
    assert [one.step for one in record.entries] == [FRAMEWORK, NEW]
    assert record.entry(FRAMEWORK) == _entry(FRAMEWORK, CHOSEN, "Head")
    assert record.entry(COALITION) is None


@pytest.mark.parametrize(
    ("entries", "left"),
    [
        ([], (FRAMEWORK, JOINT)),
        ([(FRAMEWORK, NONE_FOUND)], (JOINT,)),
        ([(FRAMEWORK, NOT_CHECKED)], (FRAMEWORK, JOINT)),
        ([(FRAMEWORK, CHOSEN)], ()),
        ([(COALITION, CHOSEN)], (FRAMEWORK, JOINT)),
        ([(NEW, CHOSEN), (JOINT, UNSUITABLE)], (FRAMEWORK, COALITION)),
    ],
)
def test_what_a_coalition_can_still_consider(
    entries: list[tuple[RouteStep, RouteOutcome]], left: tuple[RouteStep, ...]
) -> None:
    assert build_coalition_routes(_entry(*one) for one in entries).to_consider == left


def test_a_coalition_has_the_last_word_of_each_member() -> None:
    york = replace(_entry(FRAMEWORK, UNSUITABLE), authority="E06000014")
    found = build_coalition_routes([_entry(FRAMEWORK, CHOSEN), york, _entry(FRAMEWORK, NOT_CHECKED)])
    names = {"E06000014": "York", "E08000035": "Leeds"}
    assert route_lines(found, names) == ("Framework: York, looked at, does not suit; Leeds, not looked at.",)
    assert consider_line(found) == (
        "No member has yet recorded whether they checked: a joint further competition under a framework."
    )
    nobody = build_coalition_routes([])
    assert consider_line(nobody) == (
        "No member has yet recorded whether they checked: a framework; a joint further competition under a framework."
    )
    assert consider_line(nobody, inviter_checked=True) == consider_line(found), "the inviter has looked for one"
    assert consider_line(build_coalition_routes([_entry(FRAMEWORK, CHOSEN)])) is None
