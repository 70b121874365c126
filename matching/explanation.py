"""Says in plain English what decided, and the smallest change that would decide otherwise."""

import re
from datetime import date
from math import isnan

from matching import limits, reference
from matching.assessment import Assessment, Band, Component, GateCode
from matching.components import timing
from matching.features import Features
from matching.pair_scoring import Judged, score_of
from matching.plan import Kind, Window
from matching.policy import Policy
from matching.text.formatting import day_text, listed, month_text, name_of, pounds, quote, span_text
from matching.text.tokens import shared_terms, stem

_MOST_TERMS = 6
_SINGLE = frozenset(
    [GateCode.LOCAL_DISTANCE, GateCode.TOO_SMALL, GateCode.PLACE_BOUND, GateCode.CLOSED, GateCode.AWARDED]
)
_ARTICLE = {Band.FEED: "in the feed", Band.DIGEST: "a digest", Band.NOTIFY: "a notify"}


def assessment_of(found: Judged, policy: Policy) -> Assessment:
    """The engine's answer about a pair, with its reasons."""
    a, b = found.a, found.b
    terms = shared_words(a, b)
    return Assessment(
        plans=(a.plan.plan_id, b.plan.plan_id),
        score=found.score,
        band=found.band,
        specification_band=found.specification_band,
        specification=_specification(found, terms),
        timing=_timing(found),
        region=_region(found),
        value=_value(found),
        gates=found.gates,
        limits=found.limits,
        reasons=_reasons(found, terms),
        would_change=_would_change(found, policy),
        common_window=_window(found),
        join_by=_join_by(found),
        review_on=_review_on(found, policy),
    )


def shared_words(a: Features, b: Features) -> list[str]:
    """The words that decided, strongest first, as the first plan writes them."""
    stems = shared_terms(a.all_terms, b.all_terms, _MOST_TERMS)
    written = {
        stem(w.lower()): w for w in reversed(re.findall(r"[A-Za-z][A-Za-z0-9+#]*", f"{a.texts.title} {a.texts.body}"))
    }
    return [written[s] if written.get(s, "").isupper() and len(s) < 6 else s for s in stems]


def _specification(found: Judged, terms: list[str]) -> Component:
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
        "readiness": round(s.readiness, 3),
        "described": round(s.described, 3),
        "value_likeness": round(s.value_likeness, 3),
        "value_size": round(s.value_size, 3),
        "shared_words": terms,
        "shared_needs": shared_terms(found.a.concepts, found.b.concepts, _MOST_TERMS),
        "cpv_codes": [list(found.a.codes), list(found.b.codes)],
    }
    return Component(round(found.specification, 6), saw)


def _timing(found: Judged) -> Component:
    saw = {
        "fit": round(found.meeting.fit, 3),
        "lead": round(found.meeting.lead, 3),
        "common_days": max(0, found.meeting.common_days),
        "common_days_as_stated": max(0, found.meeting.stated_days),
        "needed_by": [d.isoformat() if (d := timing.need_by(f.plan)) else None for f in (found.a, found.b)],
        "lead_days": max(found.a.category.lead_days, found.b.category.lead_days),
    }
    return Component(round(found.meeting.value, 6), saw)


def _region(found: Judged) -> Component:
    saw = {
        "closeness": round(found.near, 3),
        "why": found.nearness,
        "locality": found.locality,
        "category": sorted({found.a.category.name, found.b.category.name}),
        "regions": [list(found.a.place.codes), list(found.b.place.codes)],
        "stated": [found.a.place.stated, found.b.place.stated],
    }
    return Component(round(found.region, 6), saw)


def _value(found: Judged) -> Component:
    saw = {"pounds": [None if isnan(value) else value for value in (found.a.value, found.b.value)]}
    return Component(round(found.value, 6), saw)


def _reasons(found: Judged, terms: list[str]) -> tuple[str, ...]:
    reasons = [_what(found, terms), _codes(found), *_when(found), _where(found), _money(found)]
    return tuple(reason for reason in (*reasons, *(limit.sentence for limit in found.limits)) if reason)


def _what(found: Judged, terms: list[str]) -> str:
    a, b = found.a, found.b
    verbs = {Kind.RENEWAL: "replace", Kind.EXTENSION: "extend"}
    verb = verbs.get(a.plan.kind, "buy") if a.plan.kind is b.plan.kind else "buy"
    needs = listed(shared_terms(a.concepts, b.concepts, 2))
    titles = f"\u201c{quote(a.plan.title)}\u201d and \u201c{quote(b.plan.title)}\u201d"
    words = f" share the words {listed(terms)}" if terms else " share no telling word, only their meaning"
    if found.specification_band in (Band.NOTIFY, Band.DIGEST):
        return f"Both {verb} {needs or 'much the same'}: {titles}{words}."
    if found.specification_band is Band.FEED:
        return f"The requirements are related{f' ({needs})' if needs else ''}: {titles}{words}."
    return f"The requirements have little in common: {titles}{words}."


def _codes(found: Judged) -> str:
    a, b = found.a, found.b
    same = sorted(set(a.codes) & set(b.codes), key=lambda code: (-len(code.rstrip("0")), code))
    if same:
        return f"Both name CPV {same[0]} ({reference.cpv_label(same[0])})."
    shared = sorted({x[:3] for x in a.codes} & {x[:3] for x in b.codes} - {"480", "720"})
    if shared:
        return f"Their CPV codes meet in group {shared[0]} ({reference.cpv_label(shared[0] + '00000')})."
    if a.codes and b.codes:
        return f"Their CPV codes differ ({a.codes[0]} and {b.codes[0]})."
    if not a.codes and not b.codes and a.category.name == b.category.name:
        return f"Neither gives a CPV code; both texts read as {a.category.name}."
    return ""


def _window(found: Judged) -> Window | None:
    m = found.meeting
    return Window(date.fromordinal(m.earliest), date.fromordinal(m.latest)) if m.common_days >= 1 else None


def _join_by(found: Judged) -> date | None:
    return date.fromordinal(max(1, found.meeting.join_by)) if found.meeting.common_days >= 1 else None


def _when(found: Judged) -> list[str]:
    window, join = _window(found), _join_by(found)
    if window is None or join is None:
        return []
    when = span_text(window.earliest, window.latest)
    if found.meeting.stated_days < 1:
        late = min((found.a, found.b), key=lambda f: f.span.latest)
        when += f" if {name_of(late.plan.authority)} uses its contract's extension"
    past = found.meeting.join_by < found.as_of
    last = "The last day to join was" if past else "The last sensible day to join is"
    return [f"Both can tender {when}.", f"{last} {day_text(join)}."]


def _where(found: Judged) -> str:
    near = found.nearness[0].upper() + found.nearness[1:]
    silent = [f for f in (found.a, found.b) if not f.place.stated]
    own = [name_of(f.plan.authority) for f in silent if f.place.codes != ("UK",)]
    assumed = [f"{listed(own)} named no region, so its own area is assumed"] if own else []
    if len(own) < len(silent):
        assumed.append("where nothing is known of the place, the whole country is assumed")
    taken = f" ({'; '.join(assumed)})" if assumed else ""
    anywhere = "; distance hardly matters for this" if found.locality < 0.2 else ""
    return f"{near}{anywhere}{taken}."


def _money(found: Judged) -> str:
    a, b = found.a.value, found.b.value
    if isnan(a) or isnan(b):
        return ""
    return f"Together worth {pounds(a + b)} ({pounds(a)} and {pounds(b)})."


def _would_change(found: Judged, policy: Policy) -> tuple[str, ...]:
    codes = {gate.code for gate in found.gates}
    if not codes:
        return tuple(filter(None, (_next_band(found, policy), _lost(found))))
    if codes <= {GateCode.NO_COMMON_WINDOW, GateCode.TOO_LATE}:
        moved = _moved(found, policy)
        return (moved,) if moved else ()
    if len(codes) == 1:
        band = limits.lowest(policy.bands.of(found.score), found.limits)
        if band is not Band.NONE and codes <= _SINGLE:
            return (f"Without that obstacle this would be {_ARTICLE[band]}.",)
    return ()


def _next_band(found: Judged, policy: Policy) -> str | None:
    """What would lift the pair: first other dates, then a nearer place, at last a nearer requirement."""
    if found.band is Band.NOTIFY:
        return None
    moved = _moved(found, policy)
    if moved:
        return moved
    near = _band(found, found.meeting, policy, region=1.0)
    if near.rank > found.band.rank:
        return f"If both were delivered in one area, this would be {_ARTICLE[near]}."
    alike = _band(found, found.meeting, policy, specification=1.0)
    if alike.rank > found.band.rank:
        return f"If the two requirements were written alike, this would be {_ARTICLE[alike]}."
    return None


def _lost(found: Judged) -> str | None:
    join = _join_by(found)
    if join is None or found.band is Band.NONE:
        return None
    return f"After {day_text(join)} this is no opportunity any more."


def _moved(found: Judged, policy: Policy) -> str | None:
    """The shortest move of one tender, in whole months, that would bring the pair into a higher band."""
    best = policy.bands.of(score_of(found.specification, 1.0, found.region, found.value, policy))
    if limits.lowest(best, limits.of_pair(found.a, found.b, policy)).rank <= found.band.rank:
        return None
    pairs = ((found.a, found.b), (found.b, found.a))
    for months in range(1, 13):
        options = [
            (-band.rank, name_of(mover.plan.authority), mover, moved, band)
            for mover, other in pairs
            for step in (-months, months)
            if (moved := _shift(mover.span, step)) is not None and moved.earliest >= found.as_of
            if (band := _band_after(found, moved, other, policy)).rank > found.band.rank
        ]
        if options:
            _, who, mover, moved, band = min(options, key=lambda option: option[:2])
            before, after = (month_text(date.fromordinal(day)) for day in (mover.span.earliest, moved.earliest))
            return f"If {who} moved its tender from {before} to {after}, this would be {_ARTICLE[band]}."
    return None


def _band_after(found: Judged, moved: timing.Span, other: Features, policy: Policy) -> Band:
    """The band if one of the plans had another span: `none` where the windows still do not meet in time."""
    lead_days = max(found.a.category.lead_days, found.b.category.lead_days)
    meeting = timing.meet(moved, other.span, lead_days, found.as_of, policy.timing)
    if meeting.common_days < 1 or meeting.join_by < found.as_of or other.span.latest < found.as_of:
        return Band.NONE
    return _band(found, meeting, policy)


def _band(
    found: Judged,
    meeting: timing.Meeting,
    policy: Policy,
    *,
    specification: float | None = None,
    region: float | None = None,
) -> Band:
    """The band of the pair with another meeting or another component, its limits kept."""
    spec = found.specification if specification is None else specification
    near = found.region if region is None else region
    band = policy.bands.of(score_of(spec, meeting.value, near, found.value, policy))
    return limits.lowest(band, [*limits.of_pair(found.a, found.b, policy), *limits.of_meeting(meeting, policy)])


def _shift(span: timing.Span, months: int) -> timing.Span | None:
    """The span so many months later; None where that is no date any more. Its slack moves with it."""
    try:
        earliest = timing.add_months(date.fromordinal(span.earliest), months).toordinal()
    except ValueError:
        return None
    move = earliest - span.earliest
    latest = span.latest + move
    if latest > date.max.toordinal():
        return None
    return timing.Span(earliest, latest, min(span.flexible + move, date.max.toordinal()))


def _review_on(found: Judged, policy: Policy) -> date | None:
    ends = (found.a.span.latest, found.b.span.latest)
    join = found.meeting.join_by if found.meeting.common_days >= 1 else found.as_of - 1
    day = timing.changes_after(found.as_of, join, ends, policy.timing)
    return date.fromordinal(day) if day is not None and 1 <= day <= date.max.toordinal() else None
