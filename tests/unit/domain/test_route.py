"""Route records: the last entry of a step counts, and a new contract shows what nobody has looked at."""

from datetime import date

import pytest

from events.responses import RouteOutcome, RouteStep
from services.domain.route import RouteEntry, build_record

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


def test_the_last_entry_of_a_step_counts_and_steps_stand_in_their_order() -> None:
    record = build_record([_entry(NEW, CHOSEN), _entry(FRAMEWORK, NOT_CHECKED), _entry(FRAMEWORK, CHOSEN, "Head")])
    assert [one.step for one in record.entries] == [FRAMEWORK, NEW]
    assert record.entry(FRAMEWORK) == _entry(FRAMEWORK, CHOSEN, "Head")
    assert record.entry(COALITION) is None
