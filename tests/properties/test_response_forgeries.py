"""Nobody gets an answer through in another's name: of thousands of forged responses none is taken for the victim's."""

import json
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from events.cloudevents import Message
from events.jwk import SigningKey, new_key
from events.responses import ResponseAnswered, ResponseInvited, ResponseMembership, ResponsePayload
from events.signing import HEADER, sign
from events.topics import RESPONSES, authority_topic
from services.coalitions.response_decoding import ResponseRecord, read
from services.messaging import signature_policy
from services.messaging.signature_policy import RejectedRecord, verify_one, with_signature
from services.store.authority_keys import AuthorityKey
from tests.support.coalitions import BRADFORD, LEEDS, response_fields, response_message

VICTIM, FORGER = LEEDS, BRADFORD
FORGERIES = 10_000
DAY = date(2026, 11, 26)
COALITION = "3f1c0a5d9be84c7aa2f60e7d41b85c92"


class Forger:
    """Has a key of its own, its own topic, the shared one, and all that the victim ever sent."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.victims, self.own, self.unknown = new_key(VICTIM), new_key(FORGER), new_key(VICTIM)
        self.register = {key.public.key_id: _row(key) for key in (self.victims, self.own)}
        self.seen = [self._signed(self._answer(VICTIM, number), self.victims) for number in range(20)]

    def forge(self, number: int) -> tuple[str, Message]:
        """A topic that the forger may write to, and a message that says it is the victim's."""
        message = response_message(self._answer(VICTIM, number))[1]
        dice = self.dice
        ways = (
            lambda: message,
            lambda: self._signed(self._answer(VICTIM, number), self._anybodys(self.own)),
            lambda: self._signed(self._answer(VICTIM, number), self.unknown),
            lambda: replace(message, headers=(*message.headers, self._stolen_signature())),
            lambda: self._altered(dice.choice(self.seen)),
            lambda: self._renamed(dice.choice(self.seen)),
            lambda: self._structured(message),
            lambda: replace(message, headers=(*message.headers, (HEADER, dice.randbytes(dice.randrange(200))))),
        )
        return dice.choice((RESPONSES.name, authority_topic(FORGER, RESPONSES))), dice.choice(ways)()

    def _answer(self, authority: str, number: int) -> ResponsePayload:
        values = response_fields(authority, COALITION, 1, number)
        return self.dice.choice(
            (
                lambda: ResponseAnswered(**values, answer="not-this-time"),
                lambda: ResponseInvited(**values, scope="HR"),
                lambda: ResponseMembership(**values, act="leave"),
            )
        )()

    def _signed(self, payload: ResponsePayload, key: SigningKey) -> Message:
        event, message = response_message(payload)
        return sign(event, message, key)

    def _anybodys(self, key: SigningKey) -> SigningKey:
        return SigningKey(type(key.public)(key.public.key_id, key.public.x), key.key)

    def _stolen_signature(self) -> tuple[str, bytes]:
        return next(header for header in self.dice.choice(self.seen).headers if header[0] == HEADER)

    def _altered(self, message: Message) -> Message:
        """The victim's signed answer with another value."""
        said = {**json.loads(message.value), "subject_revision": self.dice.randrange(2, 100)}
        return replace(message, value=json.dumps(said).encode())

    def _renamed(self, message: Message) -> Message:
        """The victim's signed answer as another event."""
        name = self.dice.choice(("ce_id", "ce_source", "ce_type", "ce_subject"))
        values = {"ce_type": b"jointly.response.answered.v1"}
        headers = tuple((key, values.get(key, b"other") if key == name else value) for key, value in message.headers)
        return replace(message, headers=headers) if headers != message.headers else self._altered(message)

    def _structured(self, message: Message) -> Message:
        attributes = {key.removeprefix("ce_"): value.decode() for key, value in message.headers if key[:3] == "ce_"}
        whole = {**attributes, "data": json.loads(message.value)}
        headers = (("content-type", b"application/cloudevents+json"), self._stolen_signature())
        return Message(message.key, headers[: self.dice.randrange(1, 3)], json.dumps(whole).encode())


def _row(key: SigningKey) -> AuthorityKey:
    return AuthorityKey(
        key_id=key.public.key_id,
        authority=key.public.authority or "",
        public_key=key.public.x,
        valid_from=date(2026, 1, 1),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def _taken(forger: Forger, topic: str, message: Message) -> ResponseRecord | RejectedRecord:
    record: Any = SimpleNamespace(
        topic=topic, partition=0, offset=0, key=message.key, headers=list(message.headers), value=message.value
    )
    item = read(record)
    if isinstance(item, RejectedRecord):
        return item
    signed = with_signature(item)
    return signed if isinstance(signed, RejectedRecord) else verify_one(signed, forger.register, "required", DAY)


def _refused(seed: int, count: int) -> tuple[int, Counter[str]]:
    """How many forgeries are taken for the victim's, and why the others are not."""
    forger, taken, refused = Forger(seed), 0, Counter[str]()
    for number in range(count):
        item = _taken(forger, *forger.forge(number))
        if isinstance(item, RejectedRecord):
            refused[item.reason.value] += 1
        else:
            taken += item.authority == VICTIM
    return taken, refused


def test_no_forged_answer_is_taken_for_anothers() -> None:
    taken, refused = _refused(seed=7, count=FORGERIES)
    assert taken == 0
    assert refused.total() == FORGERIES
    assert {"bad-signature", "unsigned", "topic-mismatch"} <= refused.keys()
    forger = Forger(7)
    assert all(isinstance(_taken(forger, RESPONSES.name, message), ResponseRecord) for message in forger.seen)


def test_a_signature_that_nobody_checks_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature_policy, "verify", lambda *_: None)
    assert _refused(seed=7, count=500)[0] > 0
