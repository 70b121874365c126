"""Near misses in time: how windows that do not meet count, what would make them meet, and who is found."""

from datetime import date, timedelta

import pytest

from matching.assessment import Assessment, Band, GateCode, LimitCode
from matching.candidates.plan_index import PlanIndex
from matching.plan import Kind, Plan, Window
from tests.unit.matching.builders import AS_OF, LEEDS, YORK, engine, features, plan

JUNE = Window(date(2027, 6, 1), date(2027, 6, 30))
SAID = "Payroll, pensions and personnel records for all staff, with a portal for managers and reports for the ledger."


def leeds(window: Window = JUNE, **changes: object) -> Plan:
    return plan(LEEDS, description=SAID, tender_window=window, kind=Kind.NEW, **changes)  # type: ignore[arg-type]


def york(days_apart: int, length: int = 90) -> Plan:
    """The same requirement, tendered so many days after Leeds's window ends."""
    start = JUNE.latest + timedelta(days=days_apart + 1)
    return leeds_like(YORK, Window(start, start + timedelta(days=length)))


def leeds_like(authority: str, window: Window) -> Plan:
    return plan(authority, description=SAID, tender_window=window, kind=Kind.NEW)


def assess(days_apart: int, as_of: date = AS_OF) -> Assessment:
    return engine().assess(features(leeds()), features(york(days_apart)), as_of)


def test_a_near_miss_is_digest_at_most() -> None:
    found = assess(31)
    assert found.gates == ()
    assert found.band is Band.DIGEST
    assert [limit.code for limit in found.limits] == [LimitCode.NEAR_MISS]
    assert (found.common_window, found.decide_by) == (None, None)
    move = found.nearest_move
    assert move is not None
    assert (move.plan_id, move.authority, move.months) == (f"{LEEDS}:A-1", LEEDS, 2)
    assert move.tender_window == Window(date(2027, 8, 1), date(2027, 8, 30))
    assert move.common_window == Window(date(2027, 8, 1), date(2027, 8, 30))
    apart = found.reasons.index(
        "The windows do not meet: Leeds goes to tender by 30 June 2027, York from 1 August 2027."
    )
    assert found.reasons[apart + 1] == ("If Leeds waited, both could go to tender between 1 and 30 August 2027.")
    assert apart < 3, "an email gives the first five reasons"


@pytest.mark.parametrize(("days_apart", "wait"), [(0, "a month"), (60, "3 months"), (150, "6 months")])
def test_the_advice_is_the_same_wait_and_not_another_month(days_apart: int, wait: str) -> None:
    assert assess(days_apart).would_change == (f"If Leeds waited {wait}, both would be told at once.",)


def test_the_advice_waits_like_the_reasons_whoever_comes_first_by_name() -> None:
    early = leeds_like(YORK, Window(date(2027, 2, 1), date(2027, 3, 31)))
    found = engine().assess(features(leeds()), features(early), AS_OF)
    assert "If York waited, both could go to tender between 1 and 28 June 2027." in found.reasons
    assert found.would_change == ("If York waited 3 months, both would be told at once.",)


def test_even_a_perfect_score_stays_in_the_digest() -> None:
    found = assess(0)
    assert found.specification_band is Band.NOTIFY
    assert found.band is Band.DIGEST


def test_more_days_apart_never_count_more() -> None:
    met = engine().assess(features(leeds()), features(leeds_like(YORK, JUNE)), AS_OF)
    scores = [met.score, *(assess(days).score for days in (0, 29, 30, 60, 90, 120, 150, 179))]
    assert scores == sorted(scores, reverse=True)
    assert scores[1] > scores[3] > scores[-1] > 0
    far = assess(180)
    assert [gate.code for gate in far.gates] == [GateCode.NO_COMMON_WINDOW]
    assert (far.score, far.nearest_move) == (0.0, None)


@pytest.mark.parametrize("days_apart", [*range(0, 180, 7), 179])
def test_every_near_miss_has_a_move_of_half_a_year_at_most(days_apart: int) -> None:
    move = assess(days_apart).nearest_move
    assert move is not None
    assert 1 <= move.months <= 6
    later = york(days_apart).tender_window
    assert max(move.tender_window.earliest, later.earliest) == move.common_window.earliest
    assert min(move.tender_window.latest, later.latest) == move.common_window.latest


def test_a_window_between_two_whole_months_is_met_as_well() -> None:
    day = Window(date(2027, 3, 2), date(2027, 3, 2))
    pair = features(leeds(Window(date(2027, 1, 1), date(2027, 1, 1)))), features(leeds_like(YORK, day))
    move = engine().assess(*pair, AS_OF).nearest_move
    assert move is not None
    assert (move.months, move.tender_window, move.common_window) == (3, day, day)


def test_the_earlier_plan_decides_before_its_own_window_ends() -> None:
    last = assess(31, JUNE.latest)
    assert last.is_opportunity
    assert last.review_on == JUNE.latest + timedelta(days=1)
    assert GateCode.CLOSED in {gate.code for gate in assess(31, JUNE.latest + timedelta(days=1)).gates}


def test_time_to_prepare_counts_from_the_later_window_s_end() -> None:
    soon = engine().assess(features(leeds()), features(york(1, length=10)), JUNE.latest)
    assert GateCode.TOO_LATE in {gate.code for gate in soon.gates}


def test_an_extension_that_bridges_the_gap_makes_a_common_window() -> None:
    extended = leeds(contract_start=date(2027, 12, 1), extension_months=12)
    found = engine().assess(features(extended), features(york(31)), AS_OF)
    assert found.nearest_move is None
    assert found.common_window is not None


@pytest.mark.parametrize("days_apart", [0, 60, 179, 180, 400])
def test_both_searches_find_near_misses_and_nothing_farther(days_apart: int) -> None:
    one, other = features(leeds()), features(york(days_apart))
    wanted = {other.plan.plan_id} if assess(days_apart).is_opportunity else set()
    corpus, index = engine().corpus(), PlanIndex()
    corpus.upsert(other)
    index.upsert([engine().index_entry(other)])
    query = engine().index_query(one, engine().pair_vector(one))
    assert set(engine().search(one, corpus, AS_OF)) == wanted
    assert set(index.search([query], AS_OF.toordinal(), engine().policy)[0]) == wanted
