"""Laws of the envelope: what was valid comes back whole, what was not is refused, nobody speaks for another."""

import contextlib
import json
import unicodedata
from datetime import UTC, date, datetime
from typing import Any

import hypothesis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.cloudevents import EnvelopeError, Event, decode, encode
from events.dead_letters import DEAD_LETTER_PAYLOADS
from events.fields import AUTHORITY_PATTERN, MAX_REVISION, Payload, canonical_plan_id
from events.opportunities import OPPORTUNITY_PAYLOADS
from events.plans import PLAN_PAYLOADS, PlanPublished, PlanReference, PlanUpdated
from tests.unit.events.messages import PUBLISHED, STRUCTURED_HEADERS, example, headers_of, structured, value_of

ALL: tuple[type[Payload], ...] = (*PLAN_PAYLOADS, *OPPORTUNITY_PAYLOADS, *DEAD_LETTER_PAYLOADS)
GOLDEN = example(PUBLISHED)
"""How fast the machine is says nothing of the law."""

DAYS = st.dates(date(1900, 1, 1), date(2900, 12, 31))
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=80)
TITLES = TEXT.filter(lambda text: bool(text.strip()))
AUTHORITIES = st.from_regex(AUTHORITY_PATTERN, fullmatch=True).map(str.strip)
WINDOWS = st.tuples(DAYS, DAYS).map(sorted).map(lambda d: {"earliest": d[0].isoformat(), "latest": d[1].isoformat()})
CONTRACTS = st.builds(
    lambda days, months: {"start": str(min(days)), "end": str(max(days)), "extension_months": months},
    st.tuples(DAYS, DAYS),
    st.integers(0, 240),
)
MOMENTS = st.integers(0, 2**34).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
VALUES = st.builds(
    lambda amount: {"amount": amount, "currency": "GBP"}, st.floats(0, 1e12, allow_nan=False, allow_infinity=False)
)


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    """A valid plan payload, with any of the optional fields."""
    authority = draw(AUTHORITIES)
    reference = draw(st.text("ABCxyz019._-", min_size=1, max_size=80))
    optional = {
        "description": TEXT,
        "stage": st.sampled_from(["planned", "engagement", "tendering"]),
        "cpv": st.lists(st.from_regex(r"[0-9]{8}(-[0-9])?", fullmatch=True), max_size=50),
        "value": st.none() | VALUES,
        "contract": CONTRACTS,
        "regions": st.lists(st.sampled_from(["TLI", "TLE42", "UKI3", "UK"]), max_size=50),
        "sharing": st.sampled_from(["open", "match_only", "private"]),
        "later": st.integers(),
    }
    return {
        "plan_id": f"{authority}:{reference}",
        "revision": draw(st.integers(1, MAX_REVISION)),
        "authority": authority,
        "title": draw(TITLES),
        "kind": draw(st.sampled_from(["new", "renewal", "extension", "project"])),
        "tender_window": draw(WINDOWS),
    } | draw(st.fixed_dictionaries({}, optional=optional))


@given(plans(), st.sampled_from([PlanPublished, PlanUpdated]), MOMENTS)
def test_any_valid_plan_comes_back_as_it_was_sent(
    content: dict[str, Any], kind: type[PlanPublished] | type[PlanUpdated], moment: datetime
) -> None:
    payload = kind.model_validate(content)
    sent = Event(id="1", type=kind.type, source="/a", time=moment, payload=payload, subject=payload.plan_id)
    message = encode(sent, payload.plan_id)
    assert decode(message.headers, message.value, PLAN_PAYLOADS) == sent
    assert message.key.decode() == canonical_plan_id(content["plan_id"])


ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=8)  # halves of surrogate pairs, too
HEADER_NAMES = (
    st.sampled_from(
        ["ce_id", "ce_type", "ce_source", "ce_specversion", "ce_time", "ce_subject", "content-type", "CE_ID", "ce_"]
    )
    | ANY_TEXT
    | ANY_TEXT.map(lambda name: f"ce_{name}")
)
HEADER_VALUES = st.binary(max_size=40) | st.sampled_from([b"1.0", PUBLISHED.encode(), b"application/json", b""])
HEADERS = st.lists(st.tuples(HEADER_NAMES, st.none() | HEADER_VALUES), max_size=10)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=400)
@given(HEADERS, st.none() | st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused_and_nothing_else(headers: list[Any], value: bytes | None) -> None:
    with pytest.raises(EnvelopeError) as caught:
        decode(headers, value, ALL)
    assert str(caught.value).encode()


REFUSED_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
"""Control characters, halves of surrogate pairs, separators of lines and paragraphs."""
REFUSED_DIRECTIONS = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
"""Characters that turn the direction of what follows, so that people read another text than programs do."""

MUTATIONS = st.dictionaries(
    st.sampled_from(["id", "type", "source", "specversion", "time", "subject", "traceparent", "data", "data_base64"])
    | ANY_TEXT,
    JSON | st.sampled_from([PUBLISHED, "1.0", GOLDEN["value"], "2026-11-02T09:15:00Z"]),
    max_size=4,
)


@settings(max_examples=400)
@given(MUTATIONS)
@hypothesis.example({"id": "\u0378"})  # a code point that Unicode has not assigned: the envelope lets it through
@hypothesis.example({"id": "\u00a0"})  # and a space that is not the ordinary one
def test_any_change_of_a_structured_event_is_read_or_refused(changed: dict[str, Any]) -> None:
    with contextlib.suppress(EnvelopeError):
        read = decode(STRUCTURED_HEADERS, structured({**GOLDEN}, **changed), ALL)
        assert not {unicodedata.category(letter) for letter in read.id} & REFUSED_CATEGORIES
        assert not {unicodedata.bidirectional(letter) for letter in read.id} & REFUSED_DIRECTIONS
        assert read.source.encode()


@pytest.mark.parametrize("letter", ["\x00", "\x1f", "\x7f", "\x9f", "\u2028", "\u2029", "\u202e", "\u2066", "\ud800"])
def test_an_id_that_could_deceive_a_reader_is_refused(letter: str) -> None:
    with pytest.raises(EnvelopeError, match="id"):
        decode(STRUCTURED_HEADERS, structured({**GOLDEN}, id=f"a{letter}b"), ALL)


@settings(max_examples=400)
@given(st.data())
def test_no_flipped_bytes_make_one_speak_for_another(data: st.DataObject) -> None:
    value = bytearray(value_of(GOLDEN))
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    _speaks_for_itself(bytes(value))


ODD = st.sampled_from(
    ["E08000035", "E08000032", "E08000035:", "e08000035", "E08000035\n", " E08000035", "Ｅ08000035", "E08000035:X"]
)


@given(
    st.fixed_dictionaries(
        {}, optional={"authority": ODD | TEXT, "plan_id": st.builds(lambda a, b: a + b, ODD, TEXT | st.just(":ICT-1"))}
    )
)
def test_no_changed_id_makes_one_speak_for_another(changed: dict[str, str]) -> None:
    _speaks_for_itself(value_of(GOLDEN, **changed))


def _speaks_for_itself(value: bytes) -> None:
    with contextlib.suppress(EnvelopeError):
        payload = decode(headers_of(GOLDEN), value, PLAN_PAYLOADS).payload
        assert isinstance(payload, PlanReference)
        assert payload.plan_id.split(":", 1)[0] == payload.authority
        assert payload.plan_id.startswith(f"{payload.authority}:")
