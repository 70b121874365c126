"""Step 4: each plan against every other active plan and its own present partners, outside any lock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from matching.assessment import Assessment
from matching.engine import Corpus, Engine, Features
from services.runtime import logs, metrics

log: Final = logs.get(__name__)


@dataclass(slots=True)
class Judged:
    """What was found for one revision of a plan: an assessment for every pair worth writing.

    `failed` names the partner whose pair raised an error, with the error; the other pairs stand.
    """

    plan: Features
    pairs: dict[str, tuple[Features, Assessment]] = field(default_factory=dict)
    failed: tuple[str, str] | None = None


def judge(engine: Engine, corpus: Corpus, plan: Features, partners: Mapping[str, Features], as_of: date) -> Judged:
    """Assesses `plan` against what the search finds in the corpus, and against its present `partners`.

    A present partner that the search does not find is assessed all the same: a pair is withdrawn only because
    it was judged, never because it was not retrieved.
    """
    judged = Judged(plan)
    try:
        found = {plan_id: corpus.get(plan_id) for plan_id in engine.search(plan, corpus, as_of)}
    except Exception as error:
        return _failed(judged, "search", error)
    for partner_id, partner in sorted({**found, **partners}.items()):
        if partner is None or partner_id == plan.plan.plan_id:
            continue
        try:
            judged.pairs[partner_id] = (partner, engine.assess(plan, partner, as_of))
        except Exception as error:
            _failed(judged, partner_id, error)
    return judged


def _failed(judged: Judged, partner_id: str, error: Exception) -> Judged:
    metrics.ASSESSMENTS_FAILED.inc()
    log.error("assessment failed", plan_id=judged.plan.plan.plan_id, partner_id=partner_id, error=type(error).__name__)
    judged.failed = (partner_id, type(error).__name__)
    return judged
