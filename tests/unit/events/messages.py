"""Messages to start from: the golden examples, as Kafka gives them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from events.cloudevents import Event
from events.plans import PlanPublished

EXAMPLES = Path(__file__).parents[3] / "events" / "examples"
PUBLISHED = PlanPublished.type

Headers = list[tuple[str, bytes]]


def example(kind: str) -> dict[str, Any]:
    """One golden example: topic, key, headers and value."""
    found: dict[str, Any] = json.loads((EXAMPLES / f"{kind}.json").read_text("utf-8"))
    return found


def headers_of(golden: dict[str, Any], **changed: str | None) -> Headers:
    """The headers of an example as bytes; `ce_id=None` leaves one out, another value takes its place."""
    names = {**golden["headers"], **changed}
    return [(name, value.encode()) for name, value in names.items() if value is not None]


def value_of(golden: dict[str, Any], **changed: Any) -> bytes:
    """The value of an example as bytes, with some fields changed."""
    return json.dumps({**golden["value"], **changed}).encode()


def structured(golden: dict[str, Any], **changed: Any) -> bytes:
    """The example as one structured CloudEvent, with some attributes changed; None leaves one out."""
    attributes = {
        name.removeprefix("ce_"): value for name, value in golden["headers"].items() if name.startswith("ce_")
    }
    whole = {**attributes, "datacontenttype": "application/json", "data": golden["value"], **changed}
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


STRUCTURED_HEADERS: Headers = [("content-type", b"application/cloudevents+json; charset=UTF-8")]


def event(payload: PlanPublished) -> Event:
    """A payload in an event with plain attributes."""
    return Event(
        id="8b0c64bb-0be1-5a15-9f7e-3d5b0cf0f0a9",
        type=payload.type,
        source=f"/authorities/{payload.authority}/plans",
        time=datetime(2026, 11, 2, 9, 15, tzinfo=UTC),
        subject=payload.plan_id,
        payload=payload,
    )
