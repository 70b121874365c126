"""Builds the AsyncAPI 3.0 document of the wire contract from the declared topics."""

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from events.fields import AUTHORITY_PATTERN
from events.schemas import event_type, payload_types
from events.topics import PLANS, TOPICS, Topic

VERSION: Final = "1.0.0"
"""The version of the wire contract, not of the program. It rises when a v1 payload gains fields."""

_KAFKA: Final = "0.5.0"
_EXTERNAL: Final = "external:"
_AUTHORITY: Final = "{authority}"

Json = dict[str, Any]


def document() -> Json:
    """Build the whole document: channels, our own operations on them, messages and schemas."""
    channels: Json = {}
    operations: Json = {}
    for topic in TOPICS:
        channels[_id(topic.name)] = _channel(topic, topic.name)
        operations |= _operations(topic, _id(topic.name))
    own = _id(f"{PLANS.name}.authority")
    channels[own] = _authority_channel()
    operations |= _operations(PLANS, own)
    return {
        "asyncapi": "3.0.0",
        "id": "urn:jointly:wire-contract",
        "info": {
            "title": "Jointly",
            "version": VERSION,
            "description": "Plan events of authorities in, opportunities and notification results out. "
            "Messages are CloudEvents 1.0 in the binary mode of the Kafka binding.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _id(name: str) -> str:
    return name.replace(".", "-")


def _channel(topic: Topic, address: str) -> Json:
    config = {name: _configured(name, value) for name, value in topic.config.items()}
    kafka: Json = {"partitions": topic.partitions, "bindingVersion": _KAFKA}
    if config:
        kafka["topicConfiguration"] = config
    external = [
        f"{verb} from outside: {', '.join(names)}."
        for verb, names in (("Written", _external(topic.producers)), ("Read", _external(topic.consumers)))
        if names
    ]
    return {
        "address": address,
        "description": " ".join((topic.about, *external)),
        "messages": {
            event_type(payload): {"$ref": f"#/components/messages/{event_type(payload)}"} for payload in topic.payloads
        },
        "bindings": {"kafka": kafka},
    }


def _authority_channel() -> Json:
    channel = _channel(PLANS, f"{PLANS.name}.{_AUTHORITY}")
    return {
        **channel,
        "description": "Plan events of one authority, which alone may write to this topic.",
        "parameters": {
            "authority": {
                "description": f"The authority's code ({AUTHORITY_PATTERN}); every payload must name the same one",
                "examples": ["E09000015"],
            }
        },
    }


def _configured(name: str, value: str) -> Any:
    """Convert a topic setting to the type that AsyncAPI's Kafka binding expects."""
    if name == "cleanup.policy":
        return value.split(",")
    return int(value) if value.lstrip("-").isdigit() else value


def _external(names: Any) -> list[str]:
    return [name.removeprefix(_EXTERNAL) for name in names if name.startswith(_EXTERNAL)]


def _operations(topic: Topic, channel: str) -> Json:
    found: Json = {}
    for action, parts in (("send", topic.producers), ("receive", topic.consumers)):
        for part in parts:
            if part.startswith(_EXTERNAL):
                continue
            name = part.removeprefix("services.")
            found[f"{name}-{action}-{channel}"] = {
                "action": action,
                "title": f"{name}: {action} {channel}",
                "channel": {"$ref": f"#/channels/{channel}"},
                "messages": [
                    {"$ref": f"#/channels/{channel}/messages/{event_type(payload)}"} for payload in topic.payloads
                ],
            }
    return found


def _messages() -> Json:
    keys = {event_type(payload): topic.key for topic in TOPICS for payload in topic.payloads}
    return {
        kind: {
            "name": kind,
            "title": payload.__name__,
            "summary": (payload.__doc__ or "").split("\n", 1)[0],
            "contentType": "application/json",
            "headers": {
                "allOf": [
                    {"$ref": "#/components/schemas/CloudEventHeaders"},
                    {"type": "object", "properties": {"ce_type": {"const": kind}}},
                ]
            },
            "payload": {"$ref": f"#/components/schemas/{payload.__name__}"},
            "correlationId": {"location": "$message.header#/ce_id"},
            "bindings": {
                "kafka": {"key": {"type": "string", "description": keys[kind]}, "bindingVersion": _KAFKA},
            },
        }
        for kind, payload in payload_types().items()
    }


def _schemas() -> Json:
    _, made = models_json_schema(
        [(payload, "validation") for payload in payload_types().values()],
        ref_template="#/components/schemas/{model}",
    )
    return dict(sorted({**made["$defs"], "CloudEventHeaders": _headers()}.items()))


def _headers() -> Json:
    text = {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "description": "CloudEvents 1.0 attributes as Kafka headers (UTF-8 text). In structured mode they stand in the "
        "value instead, and content-type is application/cloudevents+json.",
        "required": ["ce_id", "ce_source", "ce_specversion", "ce_type"],
        "properties": {
            "ce_specversion": {"const": "1.0"},
            "ce_id": {**text, "description": "The same id each time the same event is sent"},
            "ce_source": {**text, "format": "uri-reference"},
            "ce_type": text,
            "ce_time": {"type": "string", "format": "date-time"},
            "ce_subject": text,
            "ce_traceparent": {**text, "description": "W3C trace context"},
            "ce_causationid": {**text, "description": "Id of the plan event that caused this one"},
            "content-type": {"type": "string", "description": "application/json"},
        },
    }
