"""Whatever came, its dead letter fits into one message."""

import gzip
import json
from base64 import b64encode
from hashlib import sha256

import pytest

from events.cloudevents import MAX_VALUE_BYTES
from events.dead_letters import MAX_STORED_BYTES, DeadLetter, DeadLetterReason, Origin
from events.topics import DEAD_PLANS, PLANS
from services.messaging import dead_letter_queue
from services.messaging.private_plans import is_private
from services.messaging.unreadable_records import UnreadableRecord

ORIGIN = Origin(topic=PLANS.name, partition=0, offset=7)


def test_the_largest_dead_letter_fits_into_one_message() -> None:
    made = dead_letter_queue.to_event(
        DeadLetterReason.NOT_JSON,
        "\x01" * 5000,
        ORIGIN,
        key=b"\x01" * 1_000_000,
        value=b'{"title": "' + b"x" * 200_000 + b'"}',
        headers=[("\x01" * 10_000, b"\xff" * 1_000_000)] * 1000,
    )
    sent = len(made.key) + len(made.value) + sum(len(name) + len(value) for name, value in made.headers)
    assert 2 * MAX_STORED_BYTES < sent < int(DEAD_PLANS.config["max.message.bytes"]) / 2


def test_headers_as_long_as_any_that_is_read_are_whole() -> None:
    headers = [("jws-signature", b"s" * 8192), *((f"ce_{number}", b"a" * 4096) for number in range(8)), ("x", b"")]
    made = dead_letter_queue.to_event(DeadLetterReason.UNSIGNED, "", ORIGIN, key=None, value=b"{}", headers=headers)
    written = DeadLetter.model_validate_json(made.value)
    assert written.complete
    assert [(header.name, header.value) for header in written.headers] == headers


PLAN = {"plan_id": "E09000015:X-1", "title": "Zephyr", "sharing": "private"}
SPELLED = json.dumps(PLAN)


@pytest.mark.parametrize(
    "value",
    [
        SPELLED,
        json.dumps({"specversion": "1.0", "data": PLAN}),
        json.dumps({"specversion": "1.0", "data_base64": b64encode(SPELLED.encode()).decode()}),
        SPELLED.replace("private", "priv\\u0061te"),
        SPELLED.replace("sharing", "sh\\u0061ring"),
        SPELLED.replace("private", " Private "),
        SPELLED[:-1] + ', "sharing": "open"}',
        SPELLED[:-1],
        "[" * 5000 + SPELLED,
        SPELLED + "x" * 300_000,
        json.dumps(SPELLED),
        json.dumps({"specversion": "1.0", "data": SPELLED}),
        json.dumps({"specversion": "1.0", "data": json.dumps(SPELLED.replace("private", "priv\\u0061te"))}),
        json.dumps({"data": SPELLED.replace("private", "priv\\u0061te")[:-1]}),
        json.dumps({"data": str(PLAN)}),
        json.dumps({"data": "title: Zephyr\nsharing: private\n"}),
        json.dumps({"data": "<plan><sharing>private</sharing></plan>"}),
        json.dumps({"data_base64": "not base64"}),
        json.dumps({"data_base64": b64encode(gzip.compress(SPELLED.encode(), mtime=0)).decode()}),
        json.dumps(PLAN | {"sharing": ["private"]}),
        json.dumps(PLAN | {"sharing": "privat"}),
        json.dumps(PLAN | {"sharing": None}),
        json.dumps([PLAN]),
        str(PLAN),
        "title: Zephyr\nsharing: private\n",
        gzip.compress(SPELLED.encode(), mtime=0),
        SPELLED.encode("utf-16"),
        b"\xff",
        "[1, null, 0.5]",
    ],
)
def test_nothing_of_a_plan_that_may_be_private_is_kept(value: str | bytes) -> None:
    sent = value.encode() if isinstance(value, str) else value
    made = dead_letter_queue.to_event(DeadLetterReason.UNSIGNED, "unsigned", ORIGIN, key=b"k", value=sent)
    letter = DeadLetter.model_validate_json(made.value)
    assert (letter.value, letter.complete) == (None, False)
    assert letter.value_length == len(sent), "how long it was, and its hash, are kept"


@pytest.mark.parametrize(
    "value",
    [
        SPELLED.replace("private", "open"),
        SPELLED.replace("private", "match_only"),
        '{"title": "private sharing", "description": "Sharing private hire vehicles"}',
        '{"title": "[Draft] \\"Sharing\\"", "sharing": {"public": false}}',
        json.dumps({"data": SPELLED.replace("private", "open")}),
        "",
    ],
)
def test_what_is_not_private_is_kept(value: str) -> None:
    made = dead_letter_queue.to_event(DeadLetterReason.UNSIGNED, "unsigned", ORIGIN, key=b"k", value=value.encode())
    assert DeadLetter.model_validate_json(made.value).value == value.encode()


def test_nothing_is_kept_of_an_oversized_value() -> None:
    value = b'{"a":[' + b"[]," * (MAX_VALUE_BYTES // 3) + b"[]]}"
    made = dead_letter_queue.to_event(DeadLetterReason.TOO_LARGE, "too large", ORIGIN, key=b"k", value=value)
    letter = DeadLetter.model_validate_json(made.value)
    assert (letter.value, letter.value_length, letter.value_sha256) == (None, len(value), sha256(value).hexdigest())
    assert is_private(value)
    assert not is_private(value[:-12] + b"]]}")


def test_an_oversized_record_says_how_large_it_was() -> None:
    digest = sha256(b"what nobody kept").hexdigest()
    refused = UnreadableRecord(
        PLANS.name, 2, 9, 0, 0, b"k", None, None, 1, 16_000_000, (),
        reason=DeadLetterReason.TOO_LARGE, sentence="too large", value_sha256=digest,
    )  # fmt: skip
    letter = DeadLetter.model_validate_json(dead_letter_queue.from_record(refused, refused.reason, "too large").value)
    assert (letter.value, letter.value_length, letter.value_sha256) == (None, 16_000_000, digest)
    assert (letter.key, letter.complete, letter.origin.offset) == (b"k", False, 9)
