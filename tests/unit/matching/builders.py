"""Plans, engines and features for tests: small, in invented words, with the stand-in embedder."""

from datetime import date
from functools import cache
from typing import Any

from matching.embedding import HashingEmbedder
from matching.engine import Engine, Features
from matching.plan import Plan, Window
from matching.policy import Policy

AS_OF = date(2026, 11, 22)
LEEDS, YORK, CAMDEN, ISLINGTON, GLASGOW = "E08000035", "E06000014", "E09000007", "E09000019", "S12000049"
EMBEDDER = HashingEmbedder()


@cache
def engine() -> Engine:
    """The shipped policy and statistics, for the stand-in's vectors."""
    return Engine.load(model=EMBEDDER.model)


def engine_of(policy: Policy) -> Engine:
    """The shipped statistics with another policy."""
    return Engine.load(policy=policy, model=EMBEDDER.model)


def plan(authority: str = LEEDS, title: str = "HR and payroll system", **changes: Any) -> Plan:
    """A plan that nothing stands in the way of."""
    values: dict[str, Any] = {
        "plan_id": f"{authority}:A-1",
        "revision": 1,
        "authority": authority,
        "title": title,
        "description": "Human resources and payroll software with self service for managers and employees.",
        "tender_window": Window(date(2027, 6, 1), date(2027, 9, 30)),
        "cpv": ("48450000",),
        "value": 400_000.0,
    }
    return Plan(**{**values, **changes})


def features(one: Plan, with_engine: Engine | None = None) -> Features:
    """The features of a plan by the stand-in embedder."""
    chosen = with_engine or engine()
    texts = chosen.texts(one)
    title, body = EMBEDDER.embed([texts.title, texts.body])
    return chosen.features(one, title, body if texts.body else None)
