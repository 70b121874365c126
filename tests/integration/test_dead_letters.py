"""`jointly dead-letters` on a real broker: what was refused is listed, shown safely, and sent again as it came."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from events.dead_letters import DeadLetterReason, Origin
from events.plans import PlanPublished
from events.topics import DEAD_OPPORTUNITIES, DEAD_PLANS, PLANS, authority_topic
from services.cli import application
from services.messaging import dead_letter_queue, topic_admin
from services.messaging.kafka import make_producer, send
from services.platform.settings import Settings, settings
from tests.conftest import AnyBroker
from tests.support.broker_records import Sent, everything_on, refuse_all
from tests.unit.events.messages import example, headers_of, value_of

GOLDEN = example(PlanPublished.type)
HEADERS = headers_of(GOLDEN)
KEY = GOLDEN["key"].encode()
STEERING = b'{"title": "\xc2\x9b31m\xe2\x80\xae", "not JSON": NaN}'
"""A control sequence and a change of direction, in an object that no reader takes."""
STEERING_HEADERS = [*HEADERS, ("x-odd", b"\x1b]0;owned\x07")]


WRONG: list[Sent] = [
    (PLANS.name, KEY, STEERING_HEADERS, STEERING),
    (PLANS.name, KEY, [*HEADERS, ("x-odd", b"\xff\x00")], value_of(GOLDEN, kind="renewals")),
    (authority_topic("E08000032"), KEY, HEADERS, value_of(GOLDEN)),
    (PLANS.name, KEY, HEADERS, value_of(GOLDEN, description="x" * 300_000)),
]


@pytest.fixture
def using(broker: AnyBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.setenv("JOINTLY_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap)
    settings.cache_clear()
    yield settings()
    settings.cache_clear()


def run(*words: str) -> Any:
    return CliRunner().invoke(application("dead-letters"), ["dead-letters", *words])


def listed(*words: str) -> list[dict[str, Any]]:
    done = run("list", "--json", *words)
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


async def put(using: Settings, **letter: Any) -> None:
    """One dead letter of opportunities, written as our services write them."""
    message = dead_letter_queue.to_event(
        **{"reason": DeadLetterReason.NOT_JSON, "sentence": "not JSON", "key": b"k", **letter}
    )
    await topic_admin.create(using)
    producer = make_producer(using, "tests")
    await producer.start()
    try:
        await (await send(producer, DEAD_OPPORTUNITIES.name, message))
    finally:
        await producer.stop()


def test_where_nothing_was_refused_nothing_is_listed(using: Settings) -> None:
    assert run("list").stdout == "no dead letters\n"
    asyncio.run(topic_admin.create(using))
    assert run("list").stdout == "no dead letters\n"
    assert listed() == []


def test_what_was_refused_is_listed_filtered_and_shown_safely(using: Settings) -> None:
    asyncio.run(refuse_all(using, WRONG))
    found = listed()
    assert sorted(letter["reason"] for letter in found) == [
        "invalid-payload",
        "not-json",
        "too-large",
        "topic-mismatch",
    ]
    assert {letter["family"] for letter in found} == {"plans"}
    assert listed("--family", "opportunities") == []
    (broken,) = listed("--reason", "not-json", "--family", "plans")
    assert run("list", "--family", "weather").exit_code == 2

    words = run("list").stdout
    assert words.endswith("4 dead letters\n")
    assert "procurement.plans.v1.E08000032, partition" in words
    assert "kind: must be 'new', 'renewal', 'extension' or 'project'" in words

    shown = run("show", broken["dead_letter_id"][:13]).stdout
    assert 'value: {"title": "' in shown
    assert "header x-odd: \\x1b]0;owned\\x07" in shown
    assert not set("\x1b\x9b\u202e") & set(shown)
    assert "header ce_type: jointly.plan.published.v1" in shown
    assert json.loads(run("show", broken["dead_letter_id"], "--json").stdout)["key"] == "RTA4MDAwMDM1OklDVC0wMTE3"

    missing = run("show", "ffffffff-none")
    assert missing.exit_code == 1
    assert "no dead letter has the id ffffffff-none" in missing.stderr


def test_a_replay_is_the_original_record_on_its_topic(using: Settings) -> None:
    asyncio.run(refuse_all(using, WRONG))
    held_back = run("replay", "--all")
    assert held_back.exit_code == 2
    assert "4 dead letters would be replayed; add --yes to do it. Nothing was sent." in held_back.stderr

    (cut,) = listed("--reason", "too-large")
    refused = run("replay", cut["dead_letter_id"])
    assert refused.exit_code == 1
    assert "only the start of the event" in refused.stdout

    done = run("replay", "--all", "--yes")
    assert done.exit_code == 1, "one could not be"
    assert done.stdout.splitlines()[-1] == "3 sent, 1 not"

    names = {name for name, *_ in WRONG}
    records = asyncio.run(everything_on(using, *names, at_least=len(WRONG) + 3))
    as_sent = [(r.topic, r.key, list(r.headers), r.value) for r in records]
    assert len(as_sent) == len(WRONG) + 3
    assert all(as_sent.count(message) == 2 for message in WRONG[:3])
    assert as_sent.count(WRONG[3]) == 1


def test_one_replay_sends_one_and_naming_nothing_sends_none(using: Settings) -> None:
    asyncio.run(refuse_all(using, WRONG[:2]))
    assert run("replay").exit_code == 2
    (letter,) = listed("--reason", "invalid-payload")
    done = run("replay", letter["dead_letter_id"])
    assert done.exit_code == 0, done.output
    assert f"sent      {letter['dead_letter_id']} to procurement.plans.v1" in done.stdout
    records = asyncio.run(everything_on(using, PLANS.name, at_least=3))
    assert [r.value for r in records].count(WRONG[1][3]) == 2


@pytest.mark.parametrize(
    ("letter", "sentence"),
    [
        pytest.param({"topic": "payments.v1"}, "is not a topic that we read", id="a topic of others"),
        pytest.param({"topic": DEAD_PLANS.name}, "is not a topic that we read", id="dead letters themselves"),
        pytest.param({"headers": [("x", b"y" * 8193)]}, "only the start of the event", id="a header cut"),
        pytest.param({"headers": [("x", b"y" * 8192)] * 9}, "only the start of the event", id="headers cut together"),
        pytest.param({"headers": [("x", b"y")] * 60}, "only the start of the event", id="headers left out"),
        pytest.param({"key": b"k" * 2_000_000}, "only the start of the event", id="a key that fits into no message"),
        pytest.param({"key": None, "value": None}, "neither key nor value", id="nothing"),
        pytest.param(
            {"reason": DeadLetterReason.ASSESSMENT_FAILED}, "under its next revision", id="in the log already"
        ),
    ],
)
def test_what_must_not_be_replayed_is_not(using: Settings, letter: dict[str, Any], sentence: str) -> None:
    origin = Origin(topic=letter.get("topic", PLANS.name), partition=0, offset=7)
    other = {name: value for name, value in letter.items() if name != "topic"}
    asyncio.run(put(using, **{"origin": origin, "value": b"{}", **other}))
    (found,) = listed("--family", "opportunities")
    done = run("replay", found["dead_letter_id"])
    assert done.exit_code == 1
    assert sentence in done.stdout
    assert done.stdout.endswith("0 sent, 1 not\n")
    assert sentence in run("show", found["dead_letter_id"]).stdout


@pytest.mark.parametrize("change", ["offset", "partition", "value", "key", "headers", "topic"])
def test_what_never_stood_at_its_origin_is_not_sent_there(using: Settings, change: str) -> None:
    """Whoever may write dead letters can't have the operator's account write what they like, where they like."""
    asyncio.run(refuse_all(using, WRONG[:1]))
    (genuine,) = (json.loads(run("show", listed()[0]["dead_letter_id"], "--json").stdout),)
    origin = genuine["origin"]
    forged: dict[str, Any] = {"key": KEY, "headers": STEERING_HEADERS, "value": STEERING}
    match change:
        case "offset":
            origin |= {"offset": origin["offset"] + 1}
        case "partition":
            origin |= {"partition": (origin["partition"] + 1) % PLANS.partitions}
        case "topic":
            origin |= {"topic": authority_topic("E08000032")}
        case "headers":
            forged["headers"] = [*STEERING_HEADERS, ("x", b"y")]
        case _:
            forged[change] = b'{"forged": 1}'
    # Another reason, so that it is another dead letter than the genuine one.
    asyncio.run(put(using, origin=Origin(**origin), reason=DeadLetterReason.UNKNOWN_TYPE, **forged))
    (letter,) = listed("--family", "opportunities")
    done = run("replay", letter["dead_letter_id"])
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, "0 sent, 1 not"), done.output
    assert "its origin does not hold this event" in done.stdout


def test_a_record_that_is_no_dead_letter_hides_none(using: Settings) -> None:
    async def scribble() -> None:
        await put(using, origin=Origin(topic=PLANS.name, partition=0, offset=7), value=b"x")
        producer = make_producer(using, "tests")
        await producer.start()
        await producer.send_and_wait(DEAD_OPPORTUNITIES.name, value=b"scribble", key=b"k")
        await producer.stop()

    asyncio.run(scribble())
    done = run("list", "--json")
    assert len(done.stdout.splitlines()) == 1
    assert "1 records on the dead-letter topics are not dead letters" in done.stderr


def test_a_broker_that_is_not_there_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOINTLY_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    settings.cache_clear()
    try:
        done = run("list")
    finally:
        settings.cache_clear()
    assert done.exit_code == 3
    assert done.stderr.startswith("jointly: Kafka can't be reached at 127.0.0.1:1")
