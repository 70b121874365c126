"""Nobody gets an event through in another's name, and hostile input costs little: time and memory are bounded."""

import json
import random
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.cloudevents import MAX_VALUE_BYTES
from events.fields import Value
from events.signing import HEADER, SignatureError, extract_signature
from events.topics import PLANS
from services.messaging import authority_events, signature_policy
from services.store.mapping import plan_from_payload
from tests.chaos.forgery import Forgery, Scene
from tests.chaos.mutations import MOST_CPU_SECONDS, MOST_MEMORY_BYTES, run, verdict
from tests.pipeline import engine, invented_plans

EVENTS = 600


def test_no_forgery_is_accepted_for_another() -> None:
    outcome = run(EVENTS, seed=7)
    assert outcome.good, outcome
    assert outcome.events == EVENTS
    assert outcome.accepted_own > 0, "the forger may speak for itself"
    assert {"bad-signature", "unsigned", "topic-mismatch", "not-json", "not-cloudevent"} <= outcome.refused.keys()


class Anyone(str):
    """An authority that equals every other."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__


def _anybodys_keys(scene: Scene, _: pytest.MonkeyPatch) -> None:
    for key in scene.register.values():
        key.authority = Anyone(key.authority)


def _never_verified(_: Scene, patched: pytest.MonkeyPatch) -> None:
    patched.setattr(signature_policy, "verify", lambda *_: None)


def _topics_of_all(_: Scene, patched: pytest.MonkeyPatch) -> None:
    patched.setattr(authority_events, "authority_of", lambda *_: None)


@pytest.mark.slow
@pytest.mark.parametrize("broken", [_anybodys_keys, _never_verified, _topics_of_all])
def test_a_broken_rule_would_be_noticed(
    broken: Callable[[Scene, pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(random.Random(7))
    broken(scene, monkeypatch)
    assert run(3 * EVENTS, seed=7, scene=scene).accepted_for_another > 0


@given(st.binary(max_size=200) | st.text("abc.=-_", max_size=60).map(str.encode))
def test_whatever_stands_in_the_signature_is_read_or_refused(given: bytes) -> None:
    with suppress(SignatureError):
        assert extract_signature([(HEADER, given)]) is not None


# --- what is made to be dear

SCENE = Scene(random.Random(1))
WHOLE = SCENE.copies[0]
STATE = json.loads(WHOLE.value)
MARKS = "\u0327\u0301"
"""Combining marks of two classes, which bringing a text into its normal form has to put in order."""


def _with(**changes: Any) -> bytes:
    return json.dumps({**STATE, **changes}).encode()


HOSTILE_VALUES = {
    "brackets": b"[" * MAX_VALUE_BYTES,
    "objects": b'{"a":' * 50_000,
    "a long number": _with(revision=1).replace(b'"revision": 1', b'"revision": ' + b"9" * 200_000),
    "a long fraction": _with().replace(b'"revision": 1', b'"revision": 0.' + b"1" * 200_000),
    "a large exponent": _with().replace(b'"revision": 1', b'"revision": 1e999999999'),
    "many names": json.dumps({str(n): n for n in range(18_000)}).encode(),
    "many codes": _with(cpv=["48000000"] * 20_000),
    "many errors": _with(regions=["?"] * 50_000),
    "escapes": b'{"a":"' + b"\\u0041" * 40_000 + b'"}',
    "beyond the limit": b" " * (MAX_VALUE_BYTES + 1),
    "ten megabytes": b"x" * 10_000_000,
    "marks out of order": _with(description=MARKS * 9_999),
    "a ligature that grows": _with(description="\ufdfa" * 19_999),
    "nothing but spaces": _with(title=" " * 500),
}


def _measured(work: Callable[[], Any]) -> tuple[float, int]:
    """CPU seconds and bytes at the peak. Process time, so that a busy machine changes nothing."""
    tracemalloc.start()
    started = time.process_time()
    try:
        work()
        return time.process_time() - started, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", HOSTILE_VALUES)
def test_a_hostile_value_costs_little(name: str) -> None:
    forgery = Forgery(PLANS.name, tuple(WHOLE.headers), HOSTILE_VALUES[name])
    seconds, peak = _measured(lambda: verdict(SCENE, forgery))
    assert seconds < MOST_CPU_SECONDS
    assert peak < MOST_MEMORY_BYTES


@pytest.mark.parametrize(
    "headers",
    [
        ((HEADER, b"." * 1_000_000),),
        ((HEADER, b"A" * 1_000_000),),
        tuple((f"ce_{n}", b"x") for n in range(20_000)),
        (("ce_id", b"x" * 1_000_000),),
        (("ce_" + "x" * 1_000_000, b"x"),),
        (("content-type", b"application/" + b";" * 500_000),),
    ],
    ids=["dots", "letters", "many", "a long one", "a long name", "a long content type"],
)
def test_hostile_headers_cost_little(headers: tuple[tuple[str, bytes], ...]) -> None:
    given = tuple(dict((*WHOLE.headers, *headers)).items())
    seconds, peak = _measured(lambda: verdict(SCENE, Forgery(PLANS.name, given, WHOLE.value)))
    assert seconds < MOST_CPU_SECONDS
    assert peak < MOST_MEMORY_BYTES


@pytest.mark.parametrize(
    "text",
    [
        "a",
        " ",
        ".",
        "a.",
        "a ",
        "A-",
        "(",
        "a(b ",
        "1,",
        "http://a.",
        "e@",
        "\u0301",
        "the council ",
        "\u00e9\n",
        "-\n",
        "0 ",
    ],
)
def test_cleaning_a_hostile_text_costs_little(text: str) -> None:
    plan = invented_plans(1)[0].model_copy(
        update={"title": (text * 500)[:500], "description": (text * 20_000)[:20_000], "value": Value(amount=1)}
    )
    seconds, peak = _measured(lambda: engine().texts(plan_from_payload(plan)))
    assert seconds < MOST_CPU_SECONDS
    assert peak < MOST_MEMORY_BYTES
