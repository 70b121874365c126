"""Parties on a real database: what they convene, what is delegated to them, and that they speak for nobody else."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from events.dead_letters import DeadLetterReason
from events.jwk import SigningKey, new_key
from events.responses import (
    DelegationScope,
    ResponseAnswered,
    ResponseConvened,
    ResponseMembership,
    ResponsePayload,
    ResponseUndone,
)
from events.signing import sign
from events.topics import RESPONSES, authority_topic
from services.coalitions.response_decoding import ResponseRecord, read
from services.coalitions.response_handler import CONFLICT
from services.domain.parties import Membership, PartyKind
from services.messaging.signature_policy import RejectedRecord, verify_one, with_signature
from services.store.authority_keys import AuthorityKey
from tests.support.coalitions import (
    AS_OF,
    BRADFORD,
    CALDERDALE,
    KIRKLEES,
    LEEDS,
    CoalitionsHarness,
    open_harness,
    plan,
    plan_id,
    response_fields,
    response_message,
    response_record,
)
from tests.support.command_line import command_line
from tests.support.ids import opportunity_id
from tests.support.parties import DELEGATED_DAYS, OFFICE, convene, convene_pair, delegated, register_party, since

HUB = "GB-X-HUB"
THREE = (LEEDS, BRADFORD, KIRKLEES)


@pytest_asyncio.fixture
async def harness(database_url: str) -> AsyncIterator[CoalitionsHarness]:
    """Three councils that fit; Leeds and Bradford are members of the office, and nobody of the hub."""
    async with open_harness(database_url) as made:
        await made.publish(*(plan(authority) for authority in THREE))
        left = Membership(KIRKLEES, AS_OF - timedelta(days=9), AS_OF)
        await register_party(made.sessions, [*since(AS_OF, BRADFORD, LEEDS), left])
        await register_party(made.sessions, (), HUB, kind=PartyKind.PURCHASING_BODY)
        yield made


async def _delegate(harness: CoalitionsHarness, scope: DelegationScope | None, revision: int = 1) -> None:
    await harness.respond(delegated(scope, next(harness.numbers), revision))


async def _for_leeds(harness: CoalitionsHarness, act: str | None, party: str = OFFICE) -> str:
    """The office says it for Leeds: an act, or interest; the last refusal, or nothing."""
    state, before = await harness.only(), await harness.refusals()
    fields = response_fields(LEEDS, state.coalition_id, state.terms_revision, next(harness.numbers))
    fields["acting_party"] = party
    said: ResponsePayload = (
        ResponseMembership(**fields, act=act) if act else ResponseAnswered(**fields, answer="interested")  # type: ignore[arg-type]
    )
    await harness.respond(said)
    after = await harness.refusals()
    return after[-1][1] if len(after) > len(before) else ""


async def test_an_office_convenes_its_members_and_answers_for_none(harness: CoalitionsHarness) -> None:
    await convene(harness, plan_id(LEEDS), plan_id(BRADFORD))
    state = await harness.only()
    assert await harness.refusals() == []
    assert await harness.states() == {LEEDS: "invited", BRADFORD: "invited", KIRKLEES: "suggested"}
    assert (state.status, state.lead) == ("inviting", None)
    assert state.invitation is not None
    assert (state.invitation.by, state.invitation.convened_by, state.invitation.scope) == (None, OFFICE, "HR")
    (sent,) = await harness.rows("SELECT asked, reply_by FROM responses WHERE kind = 'convened'")
    assert (set(sent.asked), sent.reply_by) == ({plan_id(LEEDS), plan_id(BRADFORD)}, state.invitation.reply_by)
    for authority in (LEEDS, BRADFORD):
        await harness.act(authority, "accept")
    await harness.act(LEEDS, "lead")
    state = await harness.only()
    assert (state.status, state.lead) == ("formed", plan_id(LEEDS))
    (row,) = await harness.rows("SELECT authority, actor, body FROM audit_log WHERE authority = 'GB-X-OFFICE'")
    assert b'"kind":"convened"' in bytes(row.body)


@pytest.mark.parametrize(
    ("party", "plans", "why"),
    [
        (OFFICE, (LEEDS, KIRKLEES), f"{KIRKLEES}:HR-1 is no plan of a member of {OFFICE}"),
        (HUB, (LEEDS, BRADFORD), f"is no plan of a member of {HUB}"),
        (LEEDS, (LEEDS, BRADFORD), f"{LEEDS} is no programme office, group or purchasing body"),
        ("GB-X-NOBODY", (LEEDS, BRADFORD), "GB-X-NOBODY is no programme office"),
    ],
)
async def test_nobody_convenes_whom_it_may_not(
    harness: CoalitionsHarness, party: str, plans: tuple[str, ...], why: str
) -> None:
    await convene(harness, *map(plan_id, plans), party=party)
    ((reason, sentence),) = await harness.refusals()
    assert (reason, why in sentence) == (DeadLetterReason.RESPONSE_REFUSED, True), sentence
    assert set((await harness.states()).values()) == {"suggested"}


async def test_an_office_convenes_a_pair_and_both_form_a_coalition(database_url: str) -> None:
    async with open_harness(database_url) as harness:
        await harness.publish(plan(LEEDS), plan(BRADFORD))
        await register_party(harness.sessions, since(AS_OF, BRADFORD, LEEDS))
        await convene_pair(harness, LEEDS, BRADFORD, plan_id(LEEDS), plan_id(BRADFORD))
        state = await harness.only()
        assert await harness.refusals() == []
        assert (state.status, state.lead) == ("inviting", None)
        assert await harness.states() == {LEEDS: "invited", BRADFORD: "invited"}
        await convene_pair(harness, LEEDS, BRADFORD, plan_id(LEEDS), plan_id(BRADFORD))
        ((_, sentence),) = await harness.refusals()
        assert sentence == f"both plans are in coalition {state.coalition_id}; invite there"
        for authority in (LEEDS, BRADFORD):
            await harness.act(authority, "accept")
        assert (await harness.only()).status == "formed"
        found = await harness.measures("Invitations")
        assert (found["sent"], found["asked"], found["accepted"]) == (1, 2, 2)


async def test_the_command_invites_both_of_a_pair(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_harness(database_url) as harness:
        await harness.publish(plan(LEEDS), plan(BRADFORD))
        await register_party(harness.sessions, since(AS_OF, BRADFORD, LEEDS))
        await register_party(harness.sessions, since(AS_OF, LEEDS), HUB)
        pair = opportunity_id(plan_id(LEEDS), plan_id(BRADFORD))
        with command_line(database_url, monkeypatch, JOINTLY_AS_OF=AS_OF.isoformat()) as jointly:
            code, printed, said = await asyncio.to_thread(
                jointly, "parties", "convene", pair, "--party", OFFICE, "--dry-run"
            )
            assert code == 0, said
            one_member = await asyncio.to_thread(jointly, "parties", "convene", pair, "--party", HUB, "--dry-run")
        assert (one_member[0], f"{HUB} has to invite 2 plans or more" in one_member[2]) == (1, True)
        await harness.respond(ResponseConvened.model_validate_json(printed))
        assert await harness.states() == {LEEDS: "invited", BRADFORD: "invited"}


async def test_two_that_will_be_one_authority_are_no_group(database_url: str) -> None:
    elmbridge, epsom = "E07000207", "E07000208"
    async with open_harness(database_url) as harness:
        await harness.publish(plan(elmbridge), plan(epsom))
        await register_party(harness.sessions, since(AS_OF, elmbridge, epsom))
        await convene_pair(harness, elmbridge, epsom, plan_id(elmbridge), plan_id(epsom))
        ((_, sentence),) = await harness.refusals()
        assert sentence.startswith("both will be one authority")
        assert await harness.coalitions() == []


async def test_an_office_learns_nothing_of_a_coalition_without_its_members(harness: CoalitionsHarness) -> None:
    await register_party(harness.sessions, since(AS_OF, CALDERDALE), HUB)
    await convene(harness, plan_id(CALDERDALE), f"{CALDERDALE}:2", party=HUB)
    ((reason, sentence),) = await harness.refusals()
    assert reason == DeadLetterReason.UNKNOWN_SUBJECT
    assert sentence == f"plan {plan_id(CALDERDALE)} is in no coalition {(await harness.only()).coalition_id}"


async def test_an_office_convenes_no_pair_with_a_stranger_in_it(harness: CoalitionsHarness) -> None:
    await convene_pair(harness, LEEDS, KIRKLEES, plan_id(LEEDS), plan_id(KIRKLEES))
    await convene_pair(harness, LEEDS, KIRKLEES, plan_id(LEEDS), plan_id(BRADFORD))
    stranger, foreign = (sentence for _, sentence in await harness.refusals())
    assert f"{plan_id(KIRKLEES)} is no plan of a member of {OFFICE}" in stranger
    assert f"plan {plan_id(BRADFORD)} is in no opportunity" in foreign
    assert set((await harness.states()).values()) == {"suggested"}


async def test_an_office_acts_for_delegating_authorities_only(harness: CoalitionsHarness) -> None:
    assert "has not delegated anything" in await _for_leeds(harness, None)
    await _delegate(harness, DelegationScope.ANSWER)
    assert await _for_leeds(harness, None) == ""
    assert "has not delegated anything" in await _for_leeds(harness, None, party=HUB)
    await harness.invite(BRADFORD)
    assert "has delegated 'answer', and this needs 'take-part'" in await _for_leeds(harness, "accept")
    await _delegate(harness, DelegationScope.TAKE_PART, 2)
    assert await _for_leeds(harness, "accept") == ""
    assert "needs 'commit'" in await _for_leeds(harness, "commit")
    assert (await harness.states())[LEEDS] == "accepted"
    query = "SELECT body FROM audit_log WHERE authority = 'E08000035' AND action = 'response-recorded'"
    bodies = [bytes(row.body) for row in await harness.rows(query)]
    assert sum(b'"acting_party":"GB-X-OFFICE"' in body for body in bodies) == 2
    assert sum(b'"kind":"delegated"' in body for body in bodies) == 2


async def test_a_delegation_ends_on_its_day_and_by_its_authority(harness: CoalitionsHarness) -> None:
    await _delegate(harness, DelegationScope.COMMIT)
    await _delegate(harness, None, 2)
    assert "has not delegated anything" in await _for_leeds(harness, None)
    await _delegate(harness, DelegationScope.COMMIT, 3)
    harness.on(AS_OF + timedelta(days=DELEGATED_DAYS))
    assert await _for_leeds(harness, None) == ""
    harness.on(AS_OF + timedelta(days=DELEGATED_DAYS + 1))
    assert "has not delegated anything" in await _for_leeds(harness, None)


async def test_a_party_takes_back_only_what_it_said_itself(harness: CoalitionsHarness) -> None:
    await _delegate(harness, DelegationScope.COMMIT)
    own = await harness.answer(LEEDS, "interested")
    state = await harness.only()

    def taking_back(response_id: str, party: str | None) -> ResponseUndone:
        fields = response_fields(LEEDS, state.coalition_id, 1, next(harness.numbers))
        return ResponseUndone(**fields, undoes=response_id, acting_party=party)

    await harness.respond(taking_back(own, OFFICE))
    ((_, sentence),) = await harness.refusals()
    assert sentence == "a party takes back only what it said itself"
    assert await _for_leeds(harness, None) == ""
    (row,) = await harness.rows(
        "SELECT response_id FROM responses WHERE payload ->> 'acting_party' = 'GB-X-OFFICE' AND kind = 'interested'"
    )
    await harness.respond(taking_back(row.response_id, None))
    assert len(await harness.refusals()) == 1, "the authority takes back what was said in its name"


async def test_nobody_uses_up_an_id_of_another_s_answers(harness: CoalitionsHarness) -> None:
    """Councils number their answers alike, and a stranger can guess the next number."""
    state = await harness.only()

    def interested(authority: str, party: str | None = None) -> ResponseAnswered:
        fields = response_fields(authority, state.coalition_id, 1, 1)
        return ResponseAnswered(**fields, answer="interested", acting_party=party)

    def taking_back(authority: str, number: int) -> ResponseUndone:
        return ResponseUndone(**response_fields(authority, state.coalition_id, 1, number), undoes="response-000001")

    await harness.respond(interested(LEEDS, HUB), interested(BRADFORD), interested(LEEDS), interested(KIRKLEES))
    ((_, sentence),) = await harness.refusals()
    assert "has not delegated anything" in sentence
    interest = {one.authority: one.interest for one in (await harness.only()).members}
    assert interest == dict.fromkeys(THREE, "interested")
    await harness.respond(interested(LEEDS), taking_back(LEEDS, 2), taking_back(KIRKLEES, 2))
    interest = {one.authority: one.interest for one in (await harness.only()).members}
    assert interest == {LEEDS: None, BRADFORD: "interested", KIRKLEES: None}
    undone = "SELECT authority, speaker FROM responses WHERE undone_by IS NOT NULL ORDER BY authority"
    assert await harness.rows(undone) == [(KIRKLEES, KIRKLEES), (LEEDS, LEEDS)]
    other = ResponseAnswered(**response_fields(BRADFORD, state.coalition_id, 1, 1), answer="later")
    await harness.respond(other)
    assert (await harness.refusals())[1:] == [("response-conflict", CONFLICT)]


KEYS = {code: new_key(code) for code in (LEEDS, OFFICE, HUB)}


def _taken(payload: ResponsePayload, key: SigningKey, topic: str) -> ResponseRecord | RejectedRecord:
    """What the coalitions process makes of a signed response, where signatures are required."""
    event, message = response_message(payload)
    record: Any = response_record(payload, 0, topic)
    record.headers = sign(event, message, key).headers
    record.value = message.value
    item = read(record)
    signed = item if isinstance(item, RejectedRecord) else with_signature(item)
    register = {
        one.public.key_id: AuthorityKey(
            key_id=one.public.key_id,
            authority=code,
            public_key=one.public.x,
            valid_from=date(2026, 1, 1),
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for code, one in KEYS.items()
    }
    return signed if isinstance(signed, RejectedRecord) else verify_one(signed, register, "required", AS_OF)


def test_no_key_and_no_topic_lets_a_party_speak_as_another() -> None:
    fields = response_fields(LEEDS, "0" * 32, 1, 1)
    as_leeds = ResponseMembership(**fields, act="accept")
    by_office = ResponseMembership(**fields, act="accept", acting_party=OFFICE)
    given = delegated(DelegationScope.COMMIT, 1)
    shared, own = RESPONSES.name, {code: authority_topic(code, RESPONSES) for code in KEYS}
    assert isinstance(_taken(by_office, KEYS[OFFICE], shared), ResponseRecord)
    assert isinstance(_taken(by_office, KEYS[OFFICE], own[OFFICE]), ResponseRecord)
    assert isinstance(_taken(given, KEYS[LEEDS], own[LEEDS]), ResponseRecord)
    forged: list[tuple[ResponsePayload, str, str, DeadLetterReason]] = [
        (as_leeds, OFFICE, shared, DeadLetterReason.BAD_SIGNATURE),
        (as_leeds, OFFICE, own[OFFICE], DeadLetterReason.TOPIC_MISMATCH),
        (by_office, HUB, shared, DeadLetterReason.BAD_SIGNATURE),
        (by_office, HUB, own[HUB], DeadLetterReason.TOPIC_MISMATCH),
        (by_office, LEEDS, shared, DeadLetterReason.BAD_SIGNATURE),
        (given, OFFICE, shared, DeadLetterReason.BAD_SIGNATURE),
        (given, OFFICE, own[OFFICE], DeadLetterReason.TOPIC_MISMATCH),
    ]
    for payload, forger, topic, reason in forged:
        item = _taken(payload, KEYS[forger], topic)
        assert isinstance(item, RejectedRecord), (payload, forger)
        assert item.reason is reason
