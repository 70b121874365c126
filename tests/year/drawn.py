"""Plans whose lives are drawn by a seeded chance."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final

from tests.year.acts import COUNCILS, DAYS, Need, PlanEvent, gone, plan

OTHERS: Final = (
    Need("WIFI", "Managed wide area network and wifi", "64200000", date(2027, 3, 1)),
    Need("ELEC", "Electricity supply for street lighting", "09310000", date(2027, 2, 1)),
    Need("TEMP", "Temporary agency staff", "79620000", date(2027, 4, 1)),
    Need("FINANCE", "Finance and general ledger system", "48440000", date(2027, 11, 1)),
    Need("SIGNS", "Road signs and street nameplates", "34928470", date(2027, 1, 1)),
    Need("CARE", "Domiciliary care at home", "85310000", date(2027, 8, 1)),
    Need("PLAY", "Playground equipment and safety surfacing", "37535200", date(2027, 5, 1)),
    Need("FOOD", "Food waste caddies and liners", "19640000", date(2027, 3, 1)),
)


def drawn_plans(count: int) -> Iterator[PlanEvent]:
    """Plans whose lives are drawn: confirmed, moved, made private, tendered, awarded or withdrawn, in this order."""
    chance = random.Random(26)
    for number in range(count):
        council, need = chance.choice(COUNCILS[:36]), chance.choice(OTHERS)
        plan_id, day = f"{council}:{need.key}-{number}", chance.randrange(24)
        opens = need.earliest + timedelta(days=chance.randrange(-60, 200))
        sharing = chance.choice(["open", "open", "open", "match_only", "private"])
        steps = ["confirm", "move", "hide", "tender", chance.choice(["award", "withdraw"])]
        kept = sorted(chance.sample(range(5), chance.randrange(5)))
        values: dict[str, Any] = {"sharing": sharing, "value": {"amount": 10_000 * (number + 10)}}
        for revision, step in enumerate(["publish", *(steps[one] for one in kept)], 1):
            if day >= len(DAYS):
                break
            opens += timedelta(days=60) if step == "move" else timedelta()
            values["tender_window"] = {"earliest": opens, "latest": opens + timedelta(days=100)}
            values |= {"hide": {"sharing": "private"}, "tender": {"stage": "tendering"}}.get(step, {})
            over = step in ("award", "withdraw")
            made = gone(plan_id, revision, awarded=step == "award") if over else plan(plan_id, need, revision, **values)
            yield PlanEvent(DAYS[day], made)
            day += chance.randrange(2, 12)
