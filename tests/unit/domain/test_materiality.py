"""What is worth telling, as a table: told before, found now, news or not."""

from datetime import date

import pytest

from matching.assessment import Assessment, Band, Component
from matching.plan import Window
from services.domain.materiality import is_material, to_last_notified

JUNE = Window(date(2027, 6, 1), date(2027, 6, 30))


def assessment(score: float, band: Band, window: Window | None = JUNE) -> Assessment:
    one = Component(1.0)
    return Assessment(("a", "b"), score, band, band, one, one, one, one, (), (), (), window, None, 80, None)


TOLD = to_last_notified(assessment(72.0, Band.NOTIFY), "active")


@pytest.mark.parametrize(
    ("found", "status", "news"),
    [
        pytest.param(assessment(72.0, Band.NOTIFY), "active", False, id="nothing changed"),
        pytest.param(assessment(99.0, Band.NOTIFY), "active", False, id="stronger, in the same band"),
        pytest.param(assessment(69.9, Band.DIGEST), "active", False, id="another band by a hair"),
        pytest.param(assessment(67.0, Band.DIGEST), "active", True, id="another band by five points"),
        pytest.param(assessment(72.0, Band.NONE), "withdrawn", True, id="withdrawn"),
        pytest.param(assessment(72.0, Band.NOTIFY, None), "active", True, id="no common window any more"),
        pytest.param(
            assessment(72.0, Band.NOTIFY, Window(date(2027, 6, 16), date(2027, 7, 15))), "active", False, id="30 days"
        ),
        pytest.param(
            assessment(72.0, Band.NOTIFY, Window(date(2027, 6, 17), date(2027, 7, 16))), "active", True, id="32 days"
        ),
    ],
)
def test_only_what_matters_is_news(found: Assessment, status: str, news: bool) -> None:
    assert is_material(TOLD, found, status) is news


def test_small_moves_add_up() -> None:
    """Held against what was told, not against yesterday: a window can't creep away unnoticed."""
    halfway = assessment(72.0, Band.NOTIFY, Window(date(2027, 6, 11), date(2027, 7, 10)))
    further = assessment(72.0, Band.NOTIFY, Window(date(2027, 6, 21), date(2027, 7, 20)))
    assert not is_material(TOLD, halfway, "active")
    assert is_material(TOLD, further, "active")


def test_found_again_after_a_withdrawal_is_news() -> None:
    gone = to_last_notified(assessment(72.0, Band.NOTIFY), "withdrawn")
    assert is_material(gone, assessment(72.0, Band.NOTIFY), "active")
    assert not is_material(gone, assessment(10.0, Band.NONE), "withdrawn")
