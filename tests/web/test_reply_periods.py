"""The pages that invite offer only periods that end before the group has to decide, the usual one chosen beforehand."""

from datetime import date

import pytest

from services.domain.deadlines import CoalitionDates
from services.web.pages.coalition import offered_periods

DATES = CoalitionDates(date(2027, 7, 1), date(2027, 3, 12))
COUNCILS = ("E08000035", "E08000032")


@pytest.mark.parametrize(
    ("today", "offered", "usual"),
    [
        (date(2026, 11, 26), ["10", "15", "20", "30", "40"], "20"),
        (date(2027, 2, 12), ["10", "15"], "15"),
        (date(2027, 2, 19), ["10"], "10"),
    ],
)
def test_a_page_offers_the_periods_that_fit(today: date, offered: list[str], usual: str) -> None:
    found = offered_periods(today, DATES, COUNCILS)
    assert (list(found["reply_days"]), found["default_days"]) == (offered, usual)
    assert found["reply_days"]["10"] == "10 working days"
