"""The JSON Schema of every payload version: generated from the payload classes, kept beside this file, one a type.

The kept files are the promise to integrators: `events.compatibility` holds the classes to them.
"""

import json
from pathlib import Path
from typing import Any, Final

from events.fields import Payload
from events.topics import TOPICS

FOLDER: Final = Path(__file__).parent
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def payload_types() -> dict[str, type[Payload]]:
    """Every payload of every topic, by its event type, in the order of the types."""
    found = {type_of(payload): payload for topic in TOPICS for payload in topic.payloads}
    return dict(sorted(found.items()))


def type_of(payload: type[Payload]) -> str:
    """The event type (`ce_type`) of a payload class."""
    return str(payload.type)  # type: ignore[attr-defined]


def schema_of(payload: type[Payload]) -> Schema:
    """The JSON Schema of one payload, in the dialect of 2020-12.

    What a class checks across its fields (a window's order, whose plan it is) is said in words, not in the schema.
    """
    made = payload.model_json_schema(mode="validation")
    head = {"$schema": DIALECT, "$id": f"urn:jointly:schema:{type_of(payload)}", "title": type_of(payload)}
    definitions = made.pop("$defs", {})
    made.pop("title")
    rest = {name: made[name] for name in ("description", "type", "properties", "required")}
    return {**head, **rest, "$defs": dict(sorted(definitions.items()))}


def written(schema: Schema) -> str:
    """A schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def path_of(kind: str) -> Path:
    """Where the schema of an event type is kept."""
    return FOLDER / f"{kind}.json"


def kept(kind: str) -> Schema | None:
    """The kept schema of an event type, None where there is none yet."""
    path = path_of(kind)
    if not path.is_file():
        return None
    schema: Schema = json.loads(path.read_text("utf-8"))
    return schema
