"""The JSON Schema of every payload version: generated from the payload classes and stored next to this file, one per
type.

The stored files are the promise to integrators: `events.compatibility` checks the classes against them.
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
    """Return every payload class of every topic, by event type, sorted."""
    found = {event_type(payload): payload for topic in TOPICS for payload in topic.payloads}
    return dict(sorted(found.items()))


def event_type(payload: type[Payload]) -> str:
    """Return the event type (`ce_type`) of a payload class."""
    return str(payload.type)  # type: ignore[attr-defined]


def schema_of(payload: type[Payload]) -> Schema:
    """Build the JSON Schema of one payload, in the dialect of 2020-12.

    Checks across fields (a window's order, the plan's owner) appear in descriptions, not as schema rules.
    """
    made = payload.model_json_schema(mode="validation")
    head = {"$schema": DIALECT, "$id": f"urn:jointly:schema:{event_type(payload)}", "title": event_type(payload)}
    definitions = made.pop("$defs", {})
    made.pop("title")
    rest = {name: made[name] for name in ("description", "type", "properties", "required")}
    return {**head, **rest, "$defs": dict(sorted(definitions.items()))}


def render_schema(schema: Schema) -> str:
    """Format a schema as in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def path_for(kind: str) -> Path:
    """Return the file of an event type's schema."""
    return FOLDER / f"{kind}.json"


def load_saved(kind: str) -> Schema | None:
    """Return the stored schema of an event type, None if there is none yet."""
    path = path_for(kind)
    if not path.is_file():
        return None
    schema: Schema = json.loads(path.read_text("utf-8"))
    return schema
