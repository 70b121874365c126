"""Advises on a pair: the shortest move of a tender that would bring it into a higher band."""

from datetime import date

from matching import limits
from matching.assessment import Band, GateCode
from matching.components import timing
from matching.explanation.nearest_move import MAX_MONTHS
from matching.features import Features
from matching.pair_scoring import ScoredPair, score_of
from matching.policy import Policy
from matching.text.formatting import authority_short_name, format_month

_OUTCOMES = {
    Band.FEED: "the pair would be shown on request",
    Band.DIGEST: "the pair would be in the weekly digest",
    Band.NOTIFY: "both would be told at once",
}


def advice_of(found: ScoredPair, policy: Policy) -> tuple[str, ...]:
    """The steps that either authority could take, in sentences; empty if none would help."""
    codes = {gate.code for gate in found.gates}
    if codes <= {GateCode.NO_COMMON_WINDOW, GateCode.TOO_LATE}:
        return tuple(filter(None, (_move(found, policy),)))
    return ()


def _move(found: ScoredPair, policy: Policy) -> str | None:
    """The shortest move of one tender, in whole months, that would bring the pair into a higher band."""
    best = policy.bands.of(score_of(found.specification, 1.0, found.region, found.value, policy))
    if limits.lowest(best, limits.of_pair(found.a, found.b, policy)).rank <= found.band.rank:
        return None
    sides = ((found.a, found.b), (found.b, found.a))
    pairs = [(authority_short_name(mover.plan.authority), mover, other) for mover, other in sides]
    for months in range(1, MAX_MONTHS + 1):
        options = [
            # Of two moves for a near miss, the reasons have said that the earlier plan would wait.
            ((-band.rank, step < 0 and found.meeting.near_miss), who, mover, moved, band)
            for who, mover, other in pairs
            for step in (-months, months)
            if (moved := timing.shift_span(mover.span, step)) is not None and moved.earliest >= found.as_of
            if (band := _band_after(found, moved, other, policy)).rank > found.band.rank
        ]
        if options:
            _, who, mover, moved, band = min(options, key=lambda option: option[:2])
            before, after = (format_month(date.fromordinal(day)) for day in (mover.span.earliest, moved.earliest))
            if found.meeting.near_miss and moved.earliest > mover.span.earliest:
                # The reasons say until when: two months for one wait would confuse.
                return f"If {who} waited {_months_text(months)}, {_OUTCOMES[band]}."
            return f"If {who} moved its tender from {before} to {after}, {_OUTCOMES[band]}."
    return None


def _months_text(count: int) -> str:
    return "a month" if count == 1 else f"{count} months"


def _band_after(found: ScoredPair, moved: timing.TenderSpan, other: Features, policy: Policy) -> Band:
    """The band if one plan moved to another span; `none` if the windows still do not overlap in time."""
    meeting = timing.overlap_of(moved, other.span, found.lead_time, found.as_of, policy.timing)
    if meeting.common_days < 1 or meeting.decide_by < found.as_of or other.span.latest < found.as_of:
        return Band.NONE
    band = policy.bands.of(score_of(found.specification, meeting.value, found.region, found.value, policy))
    return limits.lowest(
        band,
        [*limits.of_pair(found.a, found.b, policy), *limits.of_meeting(found.a, found.b, meeting, found.as_of, policy)],
    )
