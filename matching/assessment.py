"""What the engine says of two plans: the value types of its answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from matching.plan import Window


class Band(StrEnum):
    """How loudly an opportunity is told: at once, in the weekly digest, on request; `none` is no opportunity."""

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
    """Why two plans are no opportunity, however alike."""

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
    """Why an opportunity belongs to no higher band, whatever its score."""

    ROLE = "role"
    OTHER_NATURE = "other-nature"
    VALUES_APART = "values-apart"
    SHORT_WINDOW = "short-window"
    LATE_DECISION = "late-decision"
    NEAR_MISS = "near-miss"


@dataclass(frozen=True, slots=True)
class Component:
    """One term of the score: its value (0 to 1) and what it saw, as plain JSON values for the explanation."""

    value: float
    saw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gate:
    """A reason that two plans are not an opportunity: a stable code and a sentence for people."""

    code: GateCode
    sentence: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A reason that an opportunity is of a lower band than its score says: a stable code and a sentence for people."""

    code: LimitCode
    band: Band
    sentence: str


@dataclass(frozen=True, slots=True)
class NearestMove:
    """The shortest move that would make two windows meet, in months rounded up: `plan_id` waits. `tender_window` is its
    window then, and `common_window` what both would share."""

    plan_id: str
    authority: str
    months: int
    tender_window: Window
    common_window: Window


@dataclass(frozen=True, slots=True)
class Assessment:
    """The engine's judgement of one pair, as of one day.

    `plans` are the two plan ids, sorted; every per-plan detail follows that order. `score` is 0 to 100 and,
    like the components, is computed for gated pairs too; `band` is `none` where a gate holds or the score is
    below the lowest threshold. `limits` hold the band down, whatever the score. `specification_band` is the band
    that the requirement alone allows: if every other component were 1 and no gate of time, place or status held.
    `review_on` is the next day on which this judgement could change by the passing of time alone.
    A near miss in time has a `nearest_move` and neither `common_window` nor `decide_by`. `lead_days` counts preparation
    and governance.
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
        """Whether the pair is to be written and told at all."""
        return self.band is not Band.NONE
