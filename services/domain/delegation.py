"""Delegations: the acts that an authority lets a party perform in its name. Pure."""

from dataclasses import dataclass
from datetime import date
from typing import Final

from events.responses import (
    DelegationScope,
    MembershipAct,
    PlanResponsePayload,
    ResponseAnswered,
    ResponseDecided,
    ResponseDelegated,
    ResponseDocument,
    ResponseIntroduced,
    ResponseMembership,
    ResponseRoute,
    ResponseUndone,
)
from services.domain.coalition_answers import AnswerRefusedError, RefusalReason

_SCOPES: Final = tuple(DelegationScope)


@dataclass(frozen=True, slots=True)
class Delegation:
    """An authority's delegation to a party. `scope` is None once it has ended; `until` is the last day."""

    authority: str
    party: str
    scope: DelegationScope | None
    starts_on: date
    until: date
    revision: int

    def is_valid_on(self, day: date) -> bool:
        """Whether the party may act on a day."""
        return self.scope is not None and self.starts_on <= day <= self.until

    def allows(self, needed: DelegationScope, day: date) -> bool:
        """Whether the party may perform acts of this scope on a day."""
        return self.is_valid_on(day) and _SCOPES.index(needed) <= _SCOPES.index(self.scope or needed)


def needed_scope(payload: PlanResponsePayload) -> DelegationScope | None:
    """The scope that a party needs for this response; None if only the authority itself may send it.

    Introductions and documents disclose an authority's own facts, and a decision on an extension spends its money.
    """
    match payload:
        case ResponseIntroduced() | ResponseDocument() | ResponseDecided():
            return None
        case ResponseAnswered() | ResponseRoute() | ResponseUndone():
            return DelegationScope.ANSWER
        case ResponseMembership(act=MembershipAct.COMMIT):
            return DelegationScope.COMMIT
        case _:
            return DelegationScope.TAKE_PART


def require_allowed(delegation: Delegation | None, payload: PlanResponsePayload, day: date) -> None:
    """Raise AnswerRefusedError where a party says what the authority has not delegated to it."""
    needed = needed_scope(payload)
    if needed is None:
        raise _refused(f"only {payload.authority} itself can say that; it can't be delegated")
    if delegation is None or not delegation.is_valid_on(day):
        raise _refused(f"{payload.authority} has not delegated anything to {payload.acting_party} for {day}")
    if not delegation.allows(needed, day):
        raise _refused(f"{payload.authority} has delegated '{delegation.scope}', and this needs '{needed}'")


def record(current: Delegation | None, payload: ResponseDelegated) -> Delegation:
    """The delegation after the authority gave, changed or ended it. Raises AnswerRefusedError.

    An end counts whatever its revision: nobody is held to a delegation by a number.
    """
    if payload.party == payload.authority:
        raise _refused("an authority needs no delegation to act for itself")
    stands = current.revision if current is not None else 0
    if payload.scope is not None and payload.subject_revision <= stands:
        sentence = f"the delegation stands at revision {stands}, and this is {payload.subject_revision}"
        raise AnswerRefusedError(RefusalReason.STALE, sentence)
    return Delegation(
        authority=payload.authority,
        party=payload.party,
        scope=payload.scope,
        starts_on=payload.starts_on,
        until=payload.until,
        revision=max(stands, payload.subject_revision),
    )


def _refused(sentence: str) -> AnswerRefusedError:
    return AnswerRefusedError(RefusalReason.NOT_ALLOWED, sentence)
