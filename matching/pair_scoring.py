"""Scores one pair on one day: signals, components, gates, score and band. `matching.explanation` explains the
result."""

from dataclasses import dataclass, replace
from datetime import date

from matching import gates, limits
from matching.assessment import Band, Gate, GateCode, Limit
from matching.components import timing
from matching.components.region import proximity, region_component
from matching.components.specification import (
    Signals,
    common_nature,
    cosine,
    cpv_similarity,
    logistic,
    logit,
    readiness,
    title_similarity,
    value_similarity,
    value_size,
)
from matching.components.timing import WindowOverlap
from matching.components.value import value_component
from matching.features import Features
from matching.lead_time import LeadTime, lead_time
from matching.policy import Policy
from matching.text.formatting import authority_short_name, format_date
from matching.text.tokens import cosine_similarity


@dataclass(frozen=True, slots=True)
class Similarity:
    """How alike two requirements are, whatever the day and the place.

    `band` is the band with every other component at 1. `can_never_match`: no day and no value makes the two an
    opportunity, unless their words or codes change.
    """

    signals: Signals
    specification: float
    band: Band
    can_never_match: bool


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """All intermediate results for two plans, `a` before `b` by id; days are ordinals."""

    a: Features
    b: Features
    as_of: int
    signals: Signals
    specification: float
    lead_time: LeadTime
    meeting: WindowOverlap
    near: float
    nearness: str
    locality: float
    region: float
    value: float
    gates: tuple[Gate, ...]
    limits: tuple[Limit, ...]
    score: float
    band: Band
    specification_band: Band


def similarity_of(first: Features, second: Features, policy: Policy) -> Similarity:
    """Compare two plans by their words and codes; the same in either order."""
    a, b = (first, second) if first.plan.plan_id <= second.plan.plan_id else (second, first)
    signals = signals_of(a, b, policy)
    weights = policy.scorer.weights
    spec = logistic(logit(signals, weights))
    best = logistic(logit(replace(signals, value_likeness=1.0, value_size=1.0), weights))
    return Similarity(
        signals,
        spec,
        specification_band_of(spec, policy),
        can_never_match=specification_band_of(best, policy) is Band.NONE,
    )


def specification_band_of(spec: float, policy: Policy) -> Band:
    """The band of a specification with every other component at 1."""
    whole = score_of(spec, 1.0, 1.0, 1.0, policy)
    return Band.NONE if spec < policy.specification.min_specification else policy.bands.of(whole)


def score_pair(
    first: Features, second: Features, as_of: date, policy: Policy, similarity: Similarity | None = None
) -> ScoredPair:
    """Score a pair; the same in either order. `similarity` saves computing it again."""
    a, b = (first, second) if first.plan.plan_id <= second.plan.plan_id else (second, first)
    today = as_of.toordinal()
    similarity = similarity or similarity_of(a, b, policy)
    spec = similarity.specification

    before = lead_time_of(a, b, policy)
    meeting = timing.overlap_of(a.span, b.span, before, today, policy.timing)
    near, nearness = proximity(a.delivery_area, b.delivery_area, policy.region)
    locality = max(a.locality, b.locality)
    region = region_component(near, locality)
    value = float(value_component(a.value, b.value, policy.value))
    score = score_of(spec, meeting.value, region, value, policy)
    wanting, held = gates_of_requirement(a, b, policy), limits.of_pair(a, b, policy)
    closed = (
        *wanting,
        *gates.state_gates(a, today),
        *gates.state_gates(b, today),
        *gates.reorganisation_gates(a, b, today),
        *_timing_gates(a, b, meeting, before, today),
        *gates.market_gates(a, b),
        *_similarity_gates(spec, near, locality, policy),
    )
    brief = limits.of_meeting(a, b, meeting, today, policy)
    return ScoredPair(
        a=a,
        b=b,
        as_of=today,
        signals=similarity.signals,
        specification=spec,
        lead_time=before,
        meeting=meeting,
        near=near,
        nearness=nearness,
        locality=locality,
        region=region,
        value=value,
        gates=closed,
        limits=(*held, *brief),
        score=score,
        band=Band.NONE if closed else limits.lowest(policy.bands.of(score), (*held, *brief)),
        specification_band=Band.NONE if wanting else limits.lowest(similarity.band, held),
    )


def lead_time_of(a: Features, b: Features, policy: Policy) -> LeadTime:
    """The time that a joint tender of two plans needs before it goes out."""
    authorities = (a.plan.authority, b.plan.authority)
    return lead_time(authorities, (a.category, b.category), (a.value, b.value), policy.timing)


def gates_of_requirement(a: Features, b: Features, policy: Policy) -> list[Gate]:
    """The gates of the two authorities and their requirements, whatever the day and the place."""
    return [*gates.authority_gates(a, b), *gates.requirement_gates(a, policy), *gates.requirement_gates(b, policy)]


def band_of_requirement(a: Features, b: Features, band: Band, policy: Policy) -> Band:
    """The band that the requirement alone allows, if the specification allows `band`."""
    if gates_of_requirement(a, b, policy):
        return Band.NONE
    return limits.lowest(band, limits.of_pair(a, b, policy))


def score_of(spec: float, time: float, region: float, value: float, policy: Policy) -> float:
    """The score, 0 to 100, rounded to two decimals here and nowhere else; rises with every component."""
    e = policy.exponents
    raw = float(spec**e.specification * time**e.timing * region**e.region * value**e.value)
    return round(100.0 * min(1.0, max(0.0, raw)), 2)


def signals_of(a: Features, b: Features, policy: Policy) -> Signals:
    """The signals of two requirements; the same in either order, to the last bit."""
    return Signals(
        dense=cosine(a.embedding, b.embedding),
        title_terms=cosine_similarity(a.title_terms, b.title_terms),
        all_terms=cosine_similarity(a.all_terms, b.all_terms),
        phrases=cosine_similarity(a.phrases, b.phrases),
        # A need that is missing from the lexicon is no evidence against a match.
        concepts=cosine_similarity(a.concepts, b.concepts)
        if a.concepts and b.concepts
        else policy.specification.concepts_unknown,
        profile=cosine(a.cpv_profile, b.cpv_profile) if len(a.cpv_profile) else 0.0,
        fuzzy=title_similarity(a.title_key, b.title_key),
        cpv=cpv_similarity(a.cpv_codes, b.cpv_codes, policy.specification.cpv_unknown),
        needs=cosine_similarity(a.concepts, b.concepts, policy.scorer.needs),
        nature=common_nature(a.nature, b.nature, policy.scorer.natures),
        readiness=readiness(a.readiness, b.readiness),
        described=min(a.described, b.described),
        value_likeness=float(value_similarity(a.value, b.value)),
        value_size=float(value_size(a.value, b.value)),
    )


def _timing_gates(a: Features, b: Features, meeting: WindowOverlap, before: LeadTime, today: int) -> list[Gate]:
    if meeting.common_days < 1 and not meeting.near_miss:
        early, late = limits.by_window(a, b)
        return [
            Gate(
                GateCode.NO_COMMON_WINDOW,
                f"{authority_short_name(early.plan.authority)} must tender by "
                f"{format_date(date.fromordinal(early.span.flexible))}, "
                f"{authority_short_name(late.plan.authority)} starts on "
                f"{format_date(date.fromordinal(late.span.earliest))}.",
            )
        ]
    if today > meeting.prepare_by:
        ends = format_date(date.fromordinal(meeting.latest))
        days = before.preparation_days
        return [Gate(GateCode.TOO_LATE, f"A joint tender takes {days} days to prepare, and must go out by {ends}.")]
    return []


def _similarity_gates(spec: float, near: float, locality: float, policy: Policy) -> list[Gate]:
    found = []
    if spec < policy.specification.min_specification:
        found.append(Gate(GateCode.WEAK_SPECIFICATION, "The requirements have too little in common."))
    if locality >= policy.region.local_threshold and near < policy.region.adjacent:
        found.append(Gate(GateCode.LOCAL_DISTANCE, "This is bought locally, and the two are no neighbours."))
    return found
