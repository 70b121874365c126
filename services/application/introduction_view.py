"""The state of an introduction as one of its two sides may see it: the other's no stays hidden."""

from dataclasses import dataclass
from datetime import date

from events.opportunities import OpportunityState
from events.responses import IntroductionAnswer
from services.domain.disclosure import are_open
from services.domain.introduction import IntroductionSide, is_agreed, is_asking


@dataclass(frozen=True, slots=True)
class Introduction:
    """An introduction from one side. `asked`: the other has said yes and waits for this side."""

    agreed: bool
    own_answer: IntroductionAnswer | None
    asked: bool


def introduction_view(
    state: OpportunityState, own: IntroductionSide, other: IntroductionSide, today: date
) -> Introduction | None:
    """The introduction; None if the match is over, or if both plans are shared openly."""
    if state.status != "active" or are_open(*state.plans):
        return None
    return Introduction(agreed=is_agreed(own, other), own_answer=own.answer, asked=is_asking(other, own, today))
