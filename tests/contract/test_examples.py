"""The golden examples and the kept schemas say what the payload classes do."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.formats.json import JSONFormat
from jsonschema import Draft202012Validator, FormatChecker

from events.asyncapi import document
from events.cloudevents import EnvelopeError, decode, encode
from events.schemas import FOLDER, load_saved, payload_types, render_schema, schema_of
from events.topics import PLANS_PATTERN, TOPICS
from tests.unit.events.messages import EXAMPLES, STRUCTURED_HEADERS, example, headers_of, structured, value_of

KINDS = list(payload_types())
PAYLOADS = tuple(payload_types().values())

Path = tuple[str | int, ...]


def validator(kind: str) -> Draft202012Validator:
    schema = load_saved(kind)
    assert schema is not None
    return Draft202012Validator(schema, format_checker=FormatChecker())


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Where every property of a JSON document stands."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in parts:
        if isinstance(value, dict):
            yield (*at, name)
        yield from paths(inner, (*at, name))


def without(value: Any, path: Path) -> Any:
    left = copy.deepcopy(value)
    holder = left
    for part in path[:-1]:
        holder = holder[part]
    del holder[path[-1]]
    return left


@pytest.mark.parametrize("kind", KINDS)
def test_the_kept_schema_is_the_one_the_class_makes(kind: str) -> None:
    text = (FOLDER / f"{kind}.json").read_text("utf-8")
    assert text == render_schema(schema_of(payload_types()[kind])), "run `jointly schemas`"
    schema = json.loads(text)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:jointly:schema:{kind}"


def test_payloads_schemas_and_examples_are_the_same_set() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == KINDS
    assert sorted(path.stem for path in EXAMPLES.glob("*.json")) == KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_has_the_topic_and_key_of_its_type(kind: str) -> None:
    golden = example(kind)
    topic = next(t for t in TOPICS if t.name == golden["topic"] or golden["topic"].startswith(f"{t.name}."))
    assert payload_types()[kind] in topic.payloads
    assert golden["headers"]["ce_type"] == kind
    if topic.key in golden["value"]:
        assert golden["key"] == golden["value"][topic.key]


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_reads_the_same_in_both_modes(kind: str) -> None:
    golden = example(kind)
    event = decode(headers_of(golden), value_of(golden), PAYLOADS)
    assert type(event.payload) is payload_types()[kind]
    assert decode(STRUCTURED_HEADERS, structured(golden), PAYLOADS) == event
    again = encode(event, golden["key"])
    assert json.loads(again.value) == golden["value"]
    assert again.key.decode() == golden["key"]
    assert {name: value.decode() for name, value in again.headers} == golden["headers"]


@pytest.mark.parametrize("kind", KINDS)
def test_any_cloudevents_sdk_reads_an_example(kind: str) -> None:
    golden = example(kind)
    event = from_kafka(KafkaMessage(dict(headers_of(golden)), None, value_of(golden)), JSONFormat())
    assert event.get_type() == kind
    assert event.get_data() == golden["value"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_is_valid_by_its_schema(kind: str) -> None:
    assert [error.message for error in validator(kind).iter_errors(example(kind)["value"])] == []


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        pytest.param(kind, path, id=f"{kind} {'.'.join(map(str, path))}")
        for kind in KINDS
        for path in paths(example(kind)["value"])
    ],
)
def test_a_missing_field_is_refused_where_the_schema_requires_it(kind: str, path: Path) -> None:
    golden = example(kind)
    left = without(golden["value"], path)
    try:
        decode(headers_of(golden), json.dumps(left).encode(), PAYLOADS)
        read = True
    except EnvelopeError:
        read = False
    assert read is validator(kind).is_valid(left)
    if len(path) == 1:
        assert read is (path[0] not in schema_of(payload_types()[kind])["required"])


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_field_is_ignored(kind: str) -> None:
    golden = example(kind)
    event = decode(headers_of(golden), value_of(golden, from_a_later_version={"x": 1}), PAYLOADS)
    assert event == decode(headers_of(golden), value_of(golden), PAYLOADS)
    assert validator(kind).is_valid({**golden["value"], "from_a_later_version": {"x": 1}})


def test_examples_hold_no_address_and_no_name_of_a_person() -> None:
    assert all("@" not in path.read_text("utf-8") for path in EXAMPLES.glob("*.json"))


def test_asyncapi_covers_every_topic_payload_and_part() -> None:
    made = document()
    channels = {channel["address"]: channel for channel in made["channels"].values()}
    assert set(channels) == {topic.name for topic in TOPICS} | {"procurement.plans.v1.{authority}"}
    for topic in TOPICS:
        assert set(channels[topic.name]["messages"]) == {payload.type for payload in topic.payloads}  # type: ignore[attr-defined]
        assert channels[topic.name]["bindings"]["kafka"]["partitions"] == topic.partitions
        actions = {
            (name.split("-")[0], operation["action"])
            for name, operation in made["operations"].items()
            if operation["channel"]["$ref"] == f"#/channels/{topic.name.replace('.', '-')}"
        }
        assert actions == {(p.removeprefix("services."), "send") for p in topic.producers if ":" not in p} | {
            (c.removeprefix("services."), "receive") for c in topic.consumers if ":" not in c
        }
    assert set(made["components"]["messages"]) == set(KINDS)


def test_every_reference_of_asyncapi_leads_somewhere() -> None:
    made = document()

    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            if isinstance(part.get("$ref"), str):
                yield part["$ref"]
            for inner in part.values():
                yield from references(inner)
        elif isinstance(part, list):
            for inner in part:
                yield from references(inner)

    found = set(references(made))
    assert len(found) > 20
    for reference in found:
        target: Any = made
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_is_valid_by_asyncapi(kind: str) -> None:
    made, golden = document(), example(kind)
    message = made["components"]["messages"][kind]
    for schema, value in ((message["headers"], golden["headers"]), (message["payload"], golden["value"])):
        Draft202012Validator({**schema, "components": made["components"]}).validate(value)


def test_the_pattern_covers_the_topics_of_single_authorities() -> None:
    parameter = document()["channels"]["procurement-plans-v1-authority"]["parameters"]["authority"]
    assert PLANS_PATTERN.startswith("^procurement")
    assert parameter["examples"]
