"""Explain a pair: its components with their evidence, and the reasons in plain English."""

from datetime import date
from math import isnan

from matching.assessment import Assessment, Component
from matching.components import timing
from matching.explanation.advice import advice_of
from matching.explanation.nearest_move import nearest_move_of, say_move
from matching.explanation.reasons import common_window, decide_by, reasons_of
from matching.explanation.words import telling_words
from matching.natures import likeliest_nature
from matching.pair_scoring import ScoredPair
from matching.policy import Policy
from matching.successions import merger_of
from matching.text.tokens import shared_terms

_MAX_TERMS = 6


def assessment_of(found: ScoredPair, policy: Policy) -> Assessment:
    """The assessment of a scored pair, with its reasons."""
    a, b = found.a, found.b
    move = nearest_move_of(found, policy)
    return Assessment(
        plans=(a.plan.plan_id, b.plan.plan_id),
        score=found.score,
        band=found.band,
        specification_band=found.specification_band,
        specification=_specification(found, policy),
        timing=_timing(found),
        region=_region(found),
        value=_value(found),
        gates=found.gates,
        limits=found.limits,
        reasons=reasons_of(found, policy, say_move(move) if move else ""),
        would_change=advice_of(found, policy),
        common_window=common_window(found),
        decide_by=decide_by(found),
        lead_days=found.lead_time.days,
        review_on=_review_on(found, policy),
        nearest_move=move,
    )


def _specification(found: ScoredPair, policy: Policy) -> Component:
    s = found.signals
    saw = {
        "meaning": round(s.dense, 3),
        "title_words": round(s.title_terms, 3),
        "all_words": round(s.all_terms, 3),
        "phrases": round(s.phrases, 3),
        "needs": round(s.concepts, 3),
        "cpv_from_text": round(s.profile, 3),
        "title_letters": round(s.fuzzy, 3),
        "cpv": round(s.cpv, 3),
        "telling_needs": round(s.needs, 3),
        "nature": round(s.nature, 3),
        "natures": [likeliest_nature(f) for f in (found.a, found.b)],
        "scopes": [found.a.scope, found.b.scope],
        "readiness": round(s.readiness, 3),
        "described": round(s.described, 3),
        "value_likeness": round(s.value_likeness, 3),
        "value_size": round(s.value_size, 3),
        "shared_words": telling_words(found.a, found.b, policy.synonyms),
        "shared_needs": shared_terms(found.a.concepts, found.b.concepts, _MAX_TERMS),
        "cpv_codes": [list(found.a.cpv_codes), list(found.b.cpv_codes)],
    }
    return Component(round(found.specification, 6), saw)


def _timing(found: ScoredPair) -> Component:
    saw = {
        "fit": round(found.meeting.fit, 3),
        "lead": round(found.meeting.lead, 3),
        "common_days": max(0, found.meeting.common_days),
        "common_days_as_stated": max(0, found.meeting.stated_days),
        "days_apart": max(0, -found.meeting.common_days),
        "needed_by": [d.isoformat() if (d := timing.needed_by(f.plan)) else None for f in (found.a, found.b)],
        "preparation_days": found.lead_time.preparation_days,
        "governance_days": found.lead_time.governance_days,
    }
    return Component(round(found.meeting.value, 6), saw)


def _region(found: ScoredPair) -> Component:
    saw = {
        "closeness": round(found.near, 3),
        "why": found.nearness,
        "locality": found.locality,
        "category": sorted({found.a.category.name, found.b.category.name}),
        "regions": [list(found.a.delivery_area.codes), list(found.b.delivery_area.codes)],
        "stated": [found.a.delivery_area.stated, found.b.delivery_area.stated],
    }
    return Component(round(found.region, 6), saw)


def _value(found: ScoredPair) -> Component:
    saw = {"pounds": [None if isnan(value) else value for value in (found.a.value, found.b.value)]}
    return Component(round(found.value, 6), saw)


def _review_on(found: ScoredPair, policy: Policy) -> date | None:
    ends = (found.a.span.latest, found.b.span.latest)
    day = timing.next_change_after(found.as_of, found.meeting, ends, policy.timing)
    merger = merger_of(found.a.plan.authority, found.b.plan.authority)
    if merger is not None and found.as_of < (starts := merger.starts.toordinal()):
        day = min(day or starts, starts)
    return date.fromordinal(day) if day is not None and 1 <= day <= date.max.toordinal() else None
