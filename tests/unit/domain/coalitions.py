"""Coalitions for tests: four councils, one need, in any state."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from events.coalitions import CoalitionStatus
from services.domain.coalition import Coalition, Suggestion, suggest
from services.domain.coalition_answers import InvitationRequest, accept, decline, invite
from services.domain.deadlines import CoalitionDates

LEEDS, BRADFORD, KIRKLEES, HULL = "E08000035:1", "E08000032:1", "E08000034:1", "E06000010:1"
INVITED_ON = date(2026, 11, 26)
REPLY_BY = date(2027, 1, 8)
DECIDE_BY = date(2027, 2, 16)
TOGETHER_FROM = date(2027, 7, 1)

Step = Callable[[Coalition], Coalition]


def suggestion(*plan_ids: str, lead: str = LEEDS, explanation: str = "All three fit each other.") -> Suggestion:
    """A group of these plans; by default Leeds, Bradford and Kirklees."""
    chosen = plan_ids or (LEEDS, BRADFORD, KIRKLEES)
    return Suggestion(
        members=tuple((plan_id, plan_id.partition(":")[0]) for plan_id in chosen),
        earliest=TOGETHER_FROM,
        latest=date(2027, 9, 30),
        dates=CoalitionDates(TOGETHER_FROM, DECIDE_BY),
        lead=lead,
        explanation=explanation,
    )


def suggested() -> Coalition:
    """As the engine put it forward."""
    return suggest("c1", suggestion())


def inviting() -> Coalition:
    """Leeds has invited the others."""
    return invite(suggested(), LEEDS, InvitationRequest(scope="HR and payroll"), INVITED_ON)


def formed() -> Coalition:
    """All three are in."""
    return accept(accept(inviting(), BRADFORD, INVITED_ON), KIRKLEES, INVITED_ON)


def formed_without_kirklees() -> Coalition:
    """Kirklees said no."""
    return decline(accept(inviting(), BRADFORD, INVITED_ON), KIRKLEES)


def frozen() -> Coalition:
    """The lead's tender notice is out."""
    return replace(formed(), status=CoalitionStatus.FROZEN)


def ended(status: CoalitionStatus) -> Coalition:
    """Over, one way or another."""
    return replace(formed(), status=status, ended_because="It is over.")
