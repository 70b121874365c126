"""What the envelope lets in, and with which reason it refuses the rest."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from events.cloudevents import MAX_VALUE_BYTES, EnvelopeError, decode, encode, strict_json
from events.dead_letters import DeadLetterReason
from events.plans import PLAN_PAYLOADS, PlanPublished
from tests.unit.events.messages import (
    PUBLISHED,
    STRUCTURED_HEADERS,
    Headers,
    event,
    example,
    headers_of,
    structured,
    value_of,
)

GOLDEN = example(PUBLISHED)
HEADERS = headers_of(GOLDEN)
VALUE = value_of(GOLDEN)


def refused(headers: Any, value: bytes | None) -> EnvelopeError:
    with pytest.raises(EnvelopeError) as caught:
        decode(headers, value, PLAN_PAYLOADS)
    sentence = str(caught.value)
    assert sentence.encode("utf-8"), "a dead letter has to be able to say it"
    assert sentence.isprintable()
    return caught.value


def with_text(title: str) -> bytes:
    """The value with a title written into the JSON as it stands."""
    return VALUE.replace(json.dumps(GOLDEN["value"]["title"]).encode(), title.encode())


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(None, DeadLetterReason.NOT_CLOUDEVENT, id="no value"),
        pytest.param(b"", DeadLetterReason.NOT_CLOUDEVENT, id="empty value"),
        pytest.param(b"not json", DeadLetterReason.NOT_JSON, id="words"),
        pytest.param(VALUE[:-1], DeadLetterReason.NOT_JSON, id="cut off"),
        pytest.param(VALUE + b"{}", DeadLetterReason.NOT_JSON, id="two documents"),
        pytest.param(b"\xef\xbb\xbf" + VALUE, DeadLetterReason.NOT_JSON, id="byte order mark"),
        pytest.param(VALUE.decode().encode("utf-16"), DeadLetterReason.NOT_JSON, id="utf-16"),
        pytest.param(b"\xff" + VALUE, DeadLetterReason.NOT_JSON, id="not utf-8"),
        pytest.param(VALUE.replace(b"1850000.0", b"NaN"), DeadLetterReason.NOT_JSON, id="NaN"),
        pytest.param(VALUE.replace(b"1850000.0", b"-Infinity"), DeadLetterReason.NOT_JSON, id="Infinity"),
        pytest.param(VALUE.replace(b"1850000.0", b"1e999"), DeadLetterReason.NOT_JSON, id="1e999"),
        pytest.param(b'{"unknown": -1e999,' + VALUE[1:], DeadLetterReason.NOT_JSON, id="1e999 in an unknown field"),
        pytest.param(b'{"revision": 9,' + VALUE[1:], DeadLetterReason.NOT_JSON, id="a name twice"),
        pytest.param(b'{"x": {"a": 1, "a": 1},' + VALUE[1:], DeadLetterReason.NOT_JSON, id="a name twice further in"),
        pytest.param(
            b'{"\\ud800": 1, "\\ud800": 1,' + VALUE[1:], DeadLetterReason.NOT_JSON, id="half a surrogate as a name"
        ),
        pytest.param(with_text(r'"payroll \ud800"'), DeadLetterReason.NOT_JSON, id="half a surrogate"),
        pytest.param(with_text(r'"payroll \u0000"'), DeadLetterReason.INVALID_PAYLOAD, id="NUL"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, DeadLetterReason.NOT_JSON, id="100,000 brackets"),
        pytest.param(b'{"x":' * 40_000 + b"1" + b"}" * 40_000, DeadLetterReason.NOT_JSON, id="40,000 braces"),
        pytest.param(b"[" * 100_000, DeadLetterReason.NOT_JSON, id="100,000 brackets, none closed"),
        pytest.param(
            VALUE.replace(b'"revision": 3', b'"revision": ' + b"9" * 5000), DeadLetterReason.NOT_JSON, id="5,000 digits"
        ),
        pytest.param(value_of(GOLDEN, revision=2**53), DeadLetterReason.INVALID_PAYLOAD, id="2^53"),
        pytest.param(value_of(GOLDEN, revision=3.0), DeadLetterReason.INVALID_PAYLOAD, id="a revision with a point"),
        pytest.param(value_of(GOLDEN, revision="3"), DeadLetterReason.INVALID_PAYLOAD, id="a revision as text"),
        pytest.param(
            value_of(GOLDEN, revision=True), DeadLetterReason.INVALID_PAYLOAD, id="a revision as a truth value"
        ),
        pytest.param(b"null", DeadLetterReason.INVALID_PAYLOAD, id="null"),
        pytest.param(b"[]", DeadLetterReason.INVALID_PAYLOAD, id="a list"),
        pytest.param(value_of(GOLDEN, authority="E08000032"), DeadLetterReason.AUTHORITY_MISMATCH, id="another's plan"),
        pytest.param(value_of(GOLDEN, title="x" * 501), DeadLetterReason.INVALID_PAYLOAD, id="a long title"),
        pytest.param(b" " * (MAX_VALUE_BYTES + 1), DeadLetterReason.TOO_LARGE, id="too large"),
    ],
)
def test_a_value_that_is_no_plan_is_refused_with_its_reason(value: bytes | None, reason: DeadLetterReason) -> None:
    assert refused(HEADERS, value).reason is reason


def test_the_largest_value_is_still_read() -> None:
    padded = VALUE + b" " * (MAX_VALUE_BYTES - len(VALUE))
    assert decode(HEADERS, padded, PLAN_PAYLOADS).payload == decode(HEADERS, VALUE, PLAN_PAYLOADS).payload


@pytest.mark.parametrize("name", ["ce_id", "ce_source", "ce_type", "ce_specversion"])
def test_a_required_attribute_is_required_in_binary_mode(name: str) -> None:
    assert refused(headers_of(GOLDEN, **{name: None}), VALUE).reason is DeadLetterReason.NOT_CLOUDEVENT
    assert refused(headers_of(GOLDEN, **{name: ""}), VALUE).reason is DeadLetterReason.NOT_CLOUDEVENT


@pytest.mark.parametrize("name", ["id", "source", "type", "specversion"])
@pytest.mark.parametrize("wrong", [None, "", 5, ["x"], {}, False], ids=repr)
def test_a_required_attribute_is_required_text_in_structured_mode(name: str, wrong: Any) -> None:
    assert refused(STRUCTURED_HEADERS, structured(GOLDEN, **{name: wrong})).reason is DeadLetterReason.NOT_CLOUDEVENT


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        pytest.param([], DeadLetterReason.NOT_CLOUDEVENT, id="none"),
        pytest.param([*HEADERS, ("ce_id", b"another")], DeadLetterReason.NOT_CLOUDEVENT, id="one twice"),
        pytest.param([*HEADERS, ("CE_ID", b"another")], DeadLetterReason.NOT_CLOUDEVENT, id="one twice in capitals"),
        pytest.param([*HEADERS, ("Content-Type", b"x")], DeadLetterReason.NOT_CLOUDEVENT, id="content type twice"),
        pytest.param([*HEADERS, ("ce_", b"x")], DeadLetterReason.NOT_CLOUDEVENT, id="an attribute without a name"),
        pytest.param([*HEADERS, ("ce_data", b"x")], DeadLetterReason.NOT_CLOUDEVENT, id="data as an attribute"),
        pytest.param([*HEADERS, ("ce_\ud800", b"x")], DeadLetterReason.NOT_CLOUDEVENT, id="half a surrogate as a name"),
        pytest.param([*HEADERS[:-1], ("ce_note", b"\xff\xfe")], DeadLetterReason.NOT_CLOUDEVENT, id="not utf-8"),
        pytest.param([*HEADERS, ("ce_note", None)], None, id="an extension without a value"),
        pytest.param([*HEADERS, ("x-trace", b"\xff"), ("x-trace", b"\xff")], None, id="others' headers"),
        pytest.param(
            headers_of(GOLDEN, ce_type="jointly.plan.published.v2"), DeadLetterReason.UNKNOWN_TYPE, id="a later one"
        ),
        pytest.param(
            headers_of(GOLDEN, ce_type="jointly.opportunity.updated.v1"),
            DeadLetterReason.UNKNOWN_TYPE,
            id="another family",
        ),
        pytest.param(headers_of(GOLDEN, ce_specversion="0.3"), DeadLetterReason.NOT_CLOUDEVENT, id="CloudEvents 0.3"),
        pytest.param(headers_of(GOLDEN, ce_id="a\x00b"), DeadLetterReason.NOT_CLOUDEVENT, id="NUL in the id"),
        pytest.param(
            headers_of(GOLDEN, ce_id="a\u202eb"), DeadLetterReason.NOT_CLOUDEVENT, id="writing turned round in the id"
        ),
        pytest.param(headers_of(GOLDEN, ce_source="x" * 1025), DeadLetterReason.NOT_CLOUDEVENT, id="an endless source"),
        pytest.param(
            headers_of(GOLDEN, ce_subject="a\nb"), DeadLetterReason.NOT_CLOUDEVENT, id="a subject of two lines"
        ),
        pytest.param(headers_of(GOLDEN, ce_time="yesterday"), DeadLetterReason.NOT_CLOUDEVENT, id="no time"),
        pytest.param(
            headers_of(GOLDEN, ce_time="2026-11-02T09:15:00"), DeadLetterReason.NOT_CLOUDEVENT, id="time without zone"
        ),
        pytest.param(
            headers_of(GOLDEN, ce_time="0001-01-01T00:00:00+14:00"), DeadLetterReason.NOT_CLOUDEVENT, id="before time"
        ),
        pytest.param(
            headers_of(GOLDEN, ce_time="9999-12-31T23:59:59-14:00"), DeadLetterReason.NOT_CLOUDEVENT, id="after time"
        ),
        pytest.param(
            headers_of(GOLDEN, ce_time="0800-12-25T00:00:00Z"), DeadLetterReason.NOT_CLOUDEVENT, id="long ago"
        ),
    ],
)
def test_headers(headers: Headers, reason: DeadLetterReason | None) -> None:
    if reason is None:
        assert decode(headers, VALUE, PLAN_PAYLOADS).payload == decode(HEADERS, VALUE, PLAN_PAYLOADS).payload
    else:
        assert refused(headers, VALUE).reason is reason


def test_header_names_may_be_in_capitals() -> None:
    loud = [(name.upper(), value) for name, value in HEADERS]
    assert decode(loud, VALUE, PLAN_PAYLOADS) == decode(HEADERS, VALUE, PLAN_PAYLOADS)


def test_a_time_of_another_zone_is_the_same_moment() -> None:
    headers = headers_of(GOLDEN, ce_time="2026-06-30T10:00:00+01:00")
    assert decode(headers, VALUE, PLAN_PAYLOADS).time == datetime(2026, 6, 30, 9, tzinfo=UTC)


@pytest.mark.parametrize("headers", [STRUCTURED_HEADERS, []], ids=["declared", "not declared"])
def test_structured_mode_says_the_same(headers: Headers) -> None:
    assert decode(headers, structured(GOLDEN), PLAN_PAYLOADS) == decode(HEADERS, VALUE, PLAN_PAYLOADS)


def test_structured_data_may_come_as_base64() -> None:
    value = structured(GOLDEN, data=None, data_base64=base64.b64encode(VALUE).decode())
    assert decode(STRUCTURED_HEADERS, value, PLAN_PAYLOADS) == decode(HEADERS, VALUE, PLAN_PAYLOADS)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(b"not json", DeadLetterReason.NOT_JSON, id="words"),
        pytest.param(b"[]", DeadLetterReason.NOT_CLOUDEVENT, id="a list"),
        pytest.param(
            b'"id source type specversion"', DeadLetterReason.NOT_CLOUDEVENT, id="a text that holds the names"
        ),
        pytest.param(structured(GOLDEN, data=None), DeadLetterReason.INVALID_PAYLOAD, id="no data"),
        pytest.param(structured(GOLDEN, data="text"), DeadLetterReason.INVALID_PAYLOAD, id="data as text"),
        pytest.param(
            structured(GOLDEN, data=None, data_base64="abc"), DeadLetterReason.NOT_CLOUDEVENT, id="not base64"
        ),
        pytest.param(
            structured(GOLDEN, data=None, data_base64=5), DeadLetterReason.NOT_CLOUDEVENT, id="base64 as a number"
        ),
        pytest.param(
            structured(GOLDEN, data=None, data_base64="/w=="), DeadLetterReason.NOT_JSON, id="base64 of no text"
        ),
        pytest.param(structured(GOLDEN, time=5), DeadLetterReason.NOT_CLOUDEVENT, id="time as a number"),
        pytest.param(structured(GOLDEN, time={}), DeadLetterReason.NOT_CLOUDEVENT, id="time as an object"),
        pytest.param(structured(GOLDEN, subject=5), DeadLetterReason.NOT_CLOUDEVENT, id="subject as a number"),
        pytest.param(structured(GOLDEN, traceparent=["x"]), DeadLetterReason.NOT_CLOUDEVENT, id="trace as a list"),
        pytest.param(structured(GOLDEN, id="\ud800"), DeadLetterReason.NOT_CLOUDEVENT, id="half a surrogate as the id"),
        pytest.param(
            structured(GOLDEN, type="\ud800"), DeadLetterReason.UNKNOWN_TYPE, id="half a surrogate as the type"
        ),
        pytest.param(
            structured(GOLDEN, **{"\ud800": 1}), DeadLetterReason.NOT_CLOUDEVENT, id="half a surrogate as a name"
        ),
        pytest.param(structured(GOLDEN, specversion="0.3"), DeadLetterReason.NOT_CLOUDEVENT, id="CloudEvents 0.3"),
        pytest.param(structured(GOLDEN).replace(b"1850000.0", b"1e999"), DeadLetterReason.NOT_JSON, id="1e999"),
        pytest.param(b'{"id": "x",' + structured(GOLDEN)[1:], DeadLetterReason.NOT_JSON, id="an attribute twice"),
        pytest.param(b'{"a":' * 20_000 + b"1" + b"}" * 20_000, DeadLetterReason.NOT_JSON, id="20,000 braces"),
    ],
)
def test_a_structured_event_that_is_none_is_refused(value: bytes, reason: DeadLetterReason) -> None:
    assert refused(STRUCTURED_HEADERS, value).reason is reason


def test_what_is_encoded_reads_the_same_and_carries_its_key() -> None:
    payload = PlanPublished.model_validate(GOLDEN["value"])
    sent = event(payload)
    message = encode(sent, payload.plan_id)
    assert message.key == b"E08000035:ICT-0117"
    assert decode(message.headers, message.value, PLAN_PAYLOADS) == sent
    assert dict(message.headers)["content-type"] == b"application/json"


def test_unknown_fields_are_ignored_at_every_depth() -> None:
    value = value_of(GOLDEN, later={"x": [1]}, tender_window={**GOLDEN["value"]["tender_window"], "note": "soon"})
    assert decode(HEADERS, value, PLAN_PAYLOADS) == decode(HEADERS, VALUE, PLAN_PAYLOADS)


def test_a_refusal_says_which_fields_and_repeats_no_value() -> None:
    error = refused(HEADERS, value_of(GOLDEN, kind="renewals", tender_window={"earliest": "SECRET-DAY"}))
    assert str(error).startswith("kind: must be 'new', 'renewal', 'extension' or 'project'; ")
    assert "tender_window.latest: is missing" in str(error)
    assert "SECRET-DAY" not in str(error)


@pytest.mark.parametrize("text", [b"1", b"[1.5e3]", b'{"a": {"a": 1}}', '"żółć"'.encode()], ids=repr)
def test_strict_json_reads_json(text: bytes) -> None:
    assert strict_json(text) == json.loads(text)
