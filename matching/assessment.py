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


@dataclass(frozen=True, slots=True)
class Component:
    """One term of the score: its value (0 to 1) and what it saw, as plain JSON values for the explanation."""

    value: float
    saw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gate:
    """A reason that two plans are not an opportunity: a stable code and a sentence for people."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """The engine's judgement of one pair, as of one day.

    `plans` are the two plan ids, sorted; every per-plan detail follows that order. `score` is 0 to 100 and,
    like the components, is computed for gated pairs too; `band` is `none` where a gate holds or the score is
    below the lowest threshold. `specification_band` is the band if every other component were 1 and no gate
    held. `review_on` is the next day on which this judgement could change by the passing of time alone.
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
    join_by: date | None
    review_on: date | None

    @property
    def is_opportunity(self) -> bool:
        """Whether the pair is to be written and told at all."""
        return self.band is not Band.NONE
