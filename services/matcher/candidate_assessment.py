"""Assesses each plan against its candidates and its present partners. No lock is held."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from matching.assessment import Assessment
from matching.engine import Engine, Features
from services.matcher.hopeless_pairs import HopelessPairs
from services.platform import logs, metrics

log: Final = logs.get(__name__)


@dataclass(slots=True)
class PlanAssessment:
    """The result for one revision of a plan: an assessment for every pair worth writing.

    `error` names the partner whose pair raised an error, and the error's type. The other pairs are unaffected.
    """

    plan: Features
    pairs: dict[str, tuple[Features, Assessment]] = field(default_factory=dict)
    error: tuple[str, str] | None = None


def assess_candidates(
    engine: Engine,
    plan: Features,
    candidates: Iterable[Features],
    partners: Mapping[str, Features],
    as_of: date,
    hopeless_pairs: HopelessPairs,
) -> PlanAssessment:
    """Assess `plan` against the `candidates` of a search, and against its present `partners`.

    A present partner that the search missed is assessed as well. A pair is withdrawn only after an assessment, never
    because a search missed it.
    """
    judged = PlanAssessment(plan)
    others = dict(partners)
    others |= {other.plan.plan_id: other for other in candidates if (plan, other) not in hopeless_pairs}
    for other_id, other in sorted(others.items()):
        if other_id == plan.plan.plan_id:
            continue
        try:
            assessment = _assess_pair(engine, judged, other, as_of, None if other_id in partners else hopeless_pairs)
        except Exception as error:
            _failed(judged, other_id, error)
            continue
        if assessment is not None:
            judged.pairs[other_id] = (other, assessment)
    return judged


def _assess_pair(
    engine: Engine, judged: PlanAssessment, other: Features, as_of: date, hopeless_pairs: HopelessPairs | None
) -> Assessment | None:
    """Assess a present partner (`hopeless_pairs` is None), or a candidate, for which None means no opportunity."""
    similarity = engine.similarity(judged.plan, other)
    if hopeless_pairs is None:
        return engine.assess(judged.plan, other, as_of, similarity)
    if similarity.can_never_match:
        hopeless_pairs.add(judged.plan, other)
        return None
    return engine.assess_if_opportunity(judged.plan, other, as_of, similarity)


def _failed(judged: PlanAssessment, partner_id: str, error: Exception) -> None:
    metrics.ASSESSMENTS_FAILED.inc()
    log.error("assessment failed", plan_id=judged.plan.plan.plan_id, partner_id=partner_id, error=type(error).__name__)
    judged.error = (partner_id, type(error).__name__)
