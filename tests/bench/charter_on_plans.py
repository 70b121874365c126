"""What the Charter's checks say of a file of real plans: frameworks that cover them, and what a reorganisation changes.

    python -m tests.bench.charter_on_plans --plans FILE --frameworks FILE --as-of 2026-12-01 --running-on 2027-12-31

Prints one JSON object. `--frameworks` is a CSV of agreements: framework_ref, name, owner, description, start_date,
end_date. The plans' days were moved by whole years. So are these terms: each by the fewest years after which it ends no
earlier than `--running-on`. The file does not say who may use an agreement, so only the term counts.
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

from matching.encoders.loading import load_embedder
from matching.engine import Engine, Features
from matching.frameworks import FrameworkLot, covering, day_of_need, term_on, to_plan
from matching.successions import decided
from services.cli.offline import default_cache, features_of_plans, read_plans
from services.domain.reorganisation import Destination, SuccessorConsent, preview, to_affected_plan
from tests.support.ids import opportunity_id


def main() -> None:
    """Reads the files and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plans", type=Path, required=True)
    parser.add_argument("--frameworks", type=Path, required=True)
    parser.add_argument("--as-of", type=date.fromisoformat, required=True)
    parser.add_argument("--running-on", type=date.fromisoformat, required=True)
    parser.add_argument("--model", default="")
    options = parser.parse_args()
    embedder = load_embedder(options.model)
    engine = Engine.load(model=embedder.model)
    cache = default_cache()
    plans = list(features_of_plans(read_plans(options.plans), engine, embedder, cache))
    lots = read_lots(options.frameworks, options.running_on)
    scopes = list(features_of_plans([to_plan(lot) for lot in lots], engine, embedder, cache))
    days = sorted({one.starts for one in decided()})
    found = {
        "plans": len(plans),
        "frameworks": cover(engine, plans, list(zip(lots, scopes, strict=True))),
        "reorganisations": [reorganise(engine, plans, day, options.as_of) for day in days],
    }
    print(json.dumps(found, indent=1))


def read_lots(file: Path, running_on: date) -> list[FrameworkLot]:
    """The agreements of a file, each moved so that its term has not ended on a day."""
    with file.open(encoding="utf-8", newline="") as opened:
        return [_lot(row, running_on) for row in csv.DictReader(opened)]


def _lot(row: dict[str, str], running_on: date) -> FrameworkLot:
    starts, ends = _day(row["start_date"]), _day(row["end_date"])
    years = 0
    while ends is not None and _later(ends, years) < running_on:
        years += 1
    return FrameworkLot(
        framework=row["framework_ref"],
        title=row["name"],
        owner=row["owner"],
        starts=_later(starts, years) if starts else date.min,
        ends=_later(ends, years) if ends else None,
        scope=row["description"],
    )


def _day(cell: str) -> date | None:
    """A day, None where the cell is empty or holds none: public lists have slips such as the year 20219."""
    try:
        return date.fromisoformat(cell)
    except ValueError:
        return None


def _later(day: date, years: int) -> date:
    """The same day so many years on; 28 February for one that is no day then."""
    last = 28 if (day.month, day.day) == (2, 29) else day.day
    return day.replace(year=day.year + years, day=last)


def cover(engine: Engine, plans: Sequence[Features], lots: Sequence[tuple[FrameworkLot, Features]]) -> dict[str, Any]:
    """How many plans the scope of an agreement covers, and how many of them one that runs on the day of need."""
    covered = {plan.plan.plan_id: covering(plan, lots, engine.policy) for plan in plans}
    terms = Counter(
        term_on(one.lot, day_of_need(plan.plan)).value for plan in plans for one in covered[plan.plan.plan_id]
    )
    return {
        "agreements": len(lots),
        "plans_covered": sum(bool(found) for found in covered.values()),
        "plans_covered_in_term": sum(any(one.usable for one in found) for found in covered.values()),
        "pairs_by_term": dict(sorted(terms.items())),
    }


def reorganise(engine: Engine, plans: Sequence[Features], starts: date, as_of: date) -> dict[str, Any]:
    """What the successions of a day change for these plans, by the rules of `jointly reorganise`."""
    gone = {one.predecessor for one in decided() if one.starts == starts}
    own = [one for one in plans if one.plan.authority in gone]
    affected = [to_affected_plan(one.plan) for one in own]
    found = preview(decided(), starts, affected, _pairs(engine, own, as_of), ())
    return {
        "starts": starts.isoformat(),
        "authorities": len(found.addressees),
        "plans": len(found.moves),
        "wait_for_a_person": sum(one.destination is Destination.WAITS for one in found.moves),
        "consent": {consent.value: sum(one.consent is consent for one in found.moves) for consent in SuccessorConsent},
        "pairs_of_one_authority": len(found.mergers),
    }


def _pairs(engine: Engine, plans: Iterable[Features], as_of: date) -> list[tuple[str, str, str]]:
    return [
        (opportunity_id(one.plan.plan_id, other.plan.plan_id), one.plan.plan_id, other.plan.plan_id)
        for one, other in combinations(sorted(plans, key=lambda plan: plan.plan.plan_id), 2)
        if engine.assess(one, other, as_of).is_opportunity
    ]


if __name__ == "__main__":
    main()
