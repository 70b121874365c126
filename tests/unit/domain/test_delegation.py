"""Delegations: what each scope allows on which day, and how the authority alone changes and ends them."""

from datetime import date
from typing import Any

import pytest

from events.responses import (
    DelegationScope,
    PlanResponsePayload,
    ResponseAnswered,
    ResponseDecided,
    ResponseDelegated,
    ResponseIntroduced,
    ResponseInvited,
    ResponseMembership,
)
from services.domain.coalition_answers import AnswerRefusedError, RefusalReason
from services.domain.delegation import Delegation, record, require_allowed
from services.domain.ids import party_subject

LEEDS, HUB = "E08000035", "GB-X-HUB"
FIRST, LAST = date(2026, 12, 1), date(2027, 3, 31)
ANSWER, TAKE_PART, COMMIT = DelegationScope


def _fields(**more: Any) -> dict[str, Any]:
    common = {"response_id": "response-1", "authority": LEEDS, "plan_id": f"{LEEDS}:P", "acting_party": HUB}
    return {**common, "subject": "coalition", "subject_id": "0" * 32, "subject_revision": 1, **more}


def _delegation(scope: DelegationScope | None) -> Delegation:
    return Delegation(LEEDS, HUB, scope, FIRST, LAST, 1)


def _delegated(revision: int, scope: DelegationScope | None, party: str = HUB) -> ResponseDelegated:
    return ResponseDelegated(
        response_id=f"response-{revision}",
        authority=LEEDS,
        subject="party",
        subject_id=party_subject(party),
        subject_revision=revision,
        party=party,
        scope=scope,
        starts_on=FIRST,
        until=LAST,
    )


SAID: list[tuple[PlanResponsePayload, set[DelegationScope]]] = [
    (ResponseAnswered(**_fields(answer="interested")), {ANSWER, TAKE_PART, COMMIT}),
    (ResponseInvited(**_fields()), {TAKE_PART, COMMIT}),
    (ResponseMembership(**_fields(act="accept")), {TAKE_PART, COMMIT}),
    (ResponseMembership(**_fields(act="commit")), {COMMIT}),
    (ResponseIntroduced(**_fields(agrees="yes")), set()),
    (ResponseDecided(**_fields(decision="extend")), set()),
]


@pytest.mark.parametrize(("payload", "enough"), SAID)
def test_a_scope_allows_what_it_says_and_no_more(payload: PlanResponsePayload, enough: set[DelegationScope]) -> None:
    for scope in DelegationScope:
        if scope in enough:
            require_allowed(_delegation(scope), payload, FIRST)
        else:
            with pytest.raises(AnswerRefusedError):
                require_allowed(_delegation(scope), payload, FIRST)


@pytest.mark.parametrize("day", [date(2026, 11, 30), date(2027, 4, 1)])
def test_it_holds_from_its_first_to_its_last_day(day: date) -> None:
    said = ResponseAnswered(**_fields(answer="later"))
    for inside in (FIRST, LAST):
        require_allowed(_delegation(ANSWER), said, inside)
    for nothing in (_delegation(ANSWER), _delegation(None), None):
        with pytest.raises(AnswerRefusedError, match="has not delegated anything"):
            require_allowed(nothing, said, day)


def test_an_end_of_a_delegation_counts_whatever_its_number() -> None:
    given = record(None, _delegated(5, COMMIT))
    ended = record(given, _delegated(2, None))
    assert (ended.scope, ended.revision) == (None, 5)
    for late in (4, 5):
        with pytest.raises(AnswerRefusedError) as refused:
            record(ended, _delegated(late, COMMIT))
        assert refused.value.reason is RefusalReason.STALE
    assert record(ended, _delegated(6, ANSWER)).scope is ANSWER


def test_nobody_delegates_to_itself_nor_backwards() -> None:
    with pytest.raises(AnswerRefusedError, match="needs no delegation"):
        record(None, _delegated(1, ANSWER, party=LEEDS))
    with pytest.raises(ValueError, match="must not lie before"):
        ResponseDelegated.model_validate(_delegated(1, ANSWER).model_dump() | {"until": "2026-01-01"})
