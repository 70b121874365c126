"""Whatever came, its dead letter fits into one message."""

import gzip
import json
from base64 import b64encode

import pytest

from events.dead_letters import MAX_STORED_BYTES, DeadLetter, DeadLetterReason, Origin
from events.topics import DEAD_PLANS, PLANS
from services.messaging import dead_letter_queue

ORIGIN = Origin(topic=PLANS.name, partition=0, offset=7)


def test_the_largest_dead_letter_fits_into_one_message() -> None:
    made = dead_letter_queue.to_event(
        DeadLetterReason.NOT_JSON,
        "\x01" * 5000,
        ORIGIN,
        key=b"\x01" * 1_000_000,
        value=b'{"title": "' + b"x" * 1_000_000 + b'"}',
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
        json.dumps({"data_base64": b64encode(gzip.compress(SPELLED.encode())).decode()}),
        json.dumps(PLAN | {"sharing": ["private"]}),
        json.dumps(PLAN | {"sharing": "privat"}),
        json.dumps(PLAN | {"sharing": None}),
        json.dumps([PLAN]),
        str(PLAN),
        "title: Zephyr\nsharing: private\n",
        gzip.compress(SPELLED.encode()),
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
