"""The value types of an assessment: band, components, gates, limits, and the result for two plans."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from matching.plan import Window


class Band(StrEnum):
    """How an opportunity is shown: by email, in the weekly digest, or only on request. `none` is no opportunity."""

    NOTIFY = "notify"
    DIGEST = "digest"
    FEED = "feed"
    NONE = "none"

    @property
    def rank(self) -> int:
        """0 for `none` to 3 for `notify`."""
        return _RANKS[self]

    def at_most(self, other: "Band") -> "Band":
        """The lower of two bands."""
        return min(self, other, key=_RANKS.__getitem__)


_RANKS = {Band.NONE: 0, Band.FEED: 1, Band.DIGEST: 2, Band.NOTIFY: 3}


class GateCode(StrEnum):
    """The reason why two plans are no opportunity, however alike they are."""

    SAME_AUTHORITY = "same-authority"
    RELATED_AUTHORITY = "related-authority"
    SAME_PROCUREMENT = "same-procurement"
    PRIVATE = "private"
    WITHDRAWN = "withdrawn"
    AWARDED = "awarded"
    CLOSED = "closed"
    NO_COMMON_WINDOW = "no-common-window"
    TOO_LATE = "too-late"
    TOO_SMALL = "too-small"
    WEAK_SPECIFICATION = "weak-specification"
    LOCAL_DISTANCE = "local-distance"
    OTHER_MARKET = "other-market"
    PLACE_BOUND = "place-bound"


class LimitCode(StrEnum):
    """The reason why an opportunity is in no higher band, whatever its score."""

    ROLE = "role"
    OTHER_NATURE = "other-nature"
    VALUES_APART = "values-apart"
    SCOPES_APART = "scopes-apart"
    SHORT_WINDOW = "short-window"
    LATE_DECISION = "late-decision"
    NEAR_MISS = "near-miss"


@dataclass(frozen=True, slots=True)
class Component:
    """One term of the score: its value (0 to 1) and its evidence (`saw`), as plain JSON values for the explanation."""

    value: float
    saw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gate:
    """A reason why two plans are not an opportunity: a stable code and a sentence for people."""

    code: GateCode
    sentence: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A reason why an opportunity is in a lower band than its score allows: a stable code and a sentence for people."""

    code: LimitCode
    band: Band
    sentence: str


@dataclass(frozen=True, slots=True)
class NearestMove:
    """The shortest move that would make two windows overlap: the plan `plan_id` waits `months`, rounded up.

    `tender_window` is its window after the move, and `common_window` the overlap of both.
    """

    plan_id: str
    authority: str
    months: int
    tender_window: Window
    common_window: Window


@dataclass(frozen=True, slots=True)
class Assessment:
    """The engine's assessment of one pair, as of one day.

    `plans` are the two plan ids, sorted; all details per plan follow that order. `score` is 0 to 100. Score and
    components are computed for gated pairs too. `band` is `none` if a gate applies or the score is below the lowest
    threshold. `limits` keep the band down, whatever the score. `specification_band` is the band that the requirement
    alone allows: with every other component at 1 and no gate of time, place or status. `review_on` is the next day on
    which time alone could change the assessment. A near miss in time has a `nearest_move` and neither `common_window`
    nor `decide_by`. `lead_days` is the time for preparation and governance.
    """

    plans: tuple[str, str]
    score: float
    band: Band
    specification_band: Band
    specification: Component
    timing: Component
    region: Component
    value: Component
    gates: tuple[Gate, ...]
    reasons: tuple[str, ...]
    would_change: tuple[str, ...]
    common_window: Window | None
    decide_by: date | None
    lead_days: int
    review_on: date | None
    limits: tuple[Limit, ...] = ()
    nearest_move: NearestMove | None = None

    @property
    def is_opportunity(self) -> bool:
        """Whether the pair is an opportunity in any band."""
        return self.band is not Band.NONE
