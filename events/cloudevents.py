"""CloudEvents 1.0 over Kafka, through the CloudEvents SDK: it writes binary mode, and reads binary or structured
mode."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Final

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka, to_binary
from cloudevents.core.exceptions import BaseCloudEventException
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from pydantic import ValidationError

from events.dead_letters import DeadLetterReason
from events.fields import FOREIGN_PLAN_ERROR, Payload
from events.validation_sentences import describe_validation_error

MAX_VALUE_BYTES: Final = 256 * 1024
"""The largest event value accepted. A plan with the longest permitted text is a tenth of it."""
MAX_ATTRIBUTE: Final = 1024
"""The longest id, source, type, subject or trace context accepted, in characters."""
CAUSATION: Final = "causationid"
"""The CloudEvents extension attribute with the id of the plan event that caused an event."""
REQUIRED: Final = ("id", "source", "type", "specversion")
YEARS: Final = range(1970, 3000)
"""The accepted years of an event's time. Databases can't return dates at the ends of the calendar."""

Headers = Sequence[tuple[str, bytes]]

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class EnvelopeError(ValueError):
    """An unreadable event: `reason` is the dead-letter code, the message a sentence for the user."""

    def __init__(self, reason: DeadLetterReason, sentence: str) -> None:
        # The sentence may quote the input, so make sure that it can always be encoded.
        super().__init__(_UNPRINTABLE.sub("\ufffd", sentence))
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Event:
    """One event: CloudEvents attributes and its payload."""

    id: str
    type: str
    source: str
    time: datetime
    payload: Payload
    subject: str | None = None
    traceparent: str | None = None
    causation_id: str | None = None
    """The id of the plan event that caused this one: the CloudEvents extension `causationid`."""


@dataclass(frozen=True, slots=True)
class Message:
    """A Kafka record: key, headers and value as bytes. An empty value is sent as none, a tombstone."""

    key: bytes
    headers: Headers
    value: bytes


class _StrictJson(JSONFormat):
    """The SDK's JSON format, except that it passes data on as bytes: `_payload` validates them strictly."""

    def read_data(
        self,
        body: bytes,
        datacontenttype: str | None = None,  # noqa: ARG002 (the SDK's signature)
    ) -> dict[str, object] | str | bytes | None:
        return body

    def write_data(
        self,
        data: dict[str, object] | str | bytes | None,
        datacontenttype: str | None = None,  # noqa: ARG002 (the SDK's signature)
    ) -> bytes:
        assert isinstance(data, bytes)
        return data


def encode(event: Event, key: str) -> Message:
    """Encode in binary mode: `ce_*` headers, the payload's JSON as value, `key` as the partition key."""
    attributes: dict[str, object] = {
        "id": event.id,
        "type": event.type,
        "source": event.source,
        "time": event.time.astimezone(UTC),
        "datacontenttype": "application/json",
        "specversion": "1.0",
    }
    if event.subject:
        attributes["subject"] = event.subject
    if event.traceparent:
        attributes["traceparent"] = event.traceparent
    if event.causation_id:
        attributes[CAUSATION] = event.causation_id
    data = event.payload.model_dump_json(exclude_none=False).encode()
    message = to_binary(CloudEvent(attributes, data), _StrictJson(), key_mapper=lambda _: key)
    return Message(key=key.encode(), headers=tuple(message.headers.items()), value=message.value)


def decode(headers: Iterable[tuple[str, bytes]], value: bytes | None, payloads: Sequence[type[Payload]]) -> Event:
    """Decode one Kafka record as an event with one of `payloads`.

    Raises EnvelopeError with the dead-letter reason.
    """
    if not value:
        raise EnvelopeError(DeadLetterReason.NOT_CLOUDEVENT, "the value is empty; expected a CloudEvent with JSON data")
    if len(value) > MAX_VALUE_BYTES:
        raise EnvelopeError(
            DeadLetterReason.TOO_LARGE, f"the value has {len(value)} bytes; the limit is {MAX_VALUE_BYTES}"
        )
    attributes, data = _read(_header_map(headers), value)
    kind = str(attributes["type"])
    model = next((p for p in payloads if getattr(p, "type", None) == kind), None)
    if model is None:
        known = ", ".join(str(getattr(p, "type", "")) for p in payloads)
        raise EnvelopeError(DeadLetterReason.UNKNOWN_TYPE, f"ce_type '{kind[:120]}' is not one of {known}")
    return Event(
        id=_text(attributes, "id") or "",
        type=kind,
        source=_text(attributes, "source") or "",
        time=_time(attributes["time"]),
        subject=_text(attributes, "subject"),
        traceparent=_text(attributes, "traceparent"),
        causation_id=_text(attributes, CAUSATION),
        payload=_payload(model, data),
    )


def strict_json(value: bytes) -> object:
    """Parse strict RFC 8259 JSON: UTF-8, no NaN or Infinity, numbers in range, no duplicate names, bounded depth.

    Raises EnvelopeError (not-json).
    """
    try:
        return json.loads(
            value.decode("utf-8"),
            parse_constant=_reject_constant,
            parse_float=_require_finite,
            object_pairs_hook=_reject_duplicate_keys,
        )
    except RecursionError:
        raise EnvelopeError(DeadLetterReason.NOT_JSON, "the JSON is nested too deeply") from None
    except UnicodeDecodeError as error:
        raise EnvelopeError(DeadLetterReason.NOT_JSON, f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise EnvelopeError(
            DeadLetterReason.NOT_JSON, f"not JSON: {error.msg} at line {error.lineno} column {error.colno}"
        ) from None
    except ValueError as error:
        raise EnvelopeError(DeadLetterReason.NOT_JSON, f"not JSON: {error}") from None


def _header_map(headers: Iterable[tuple[str, bytes]]) -> dict[str, bytes]:
    known = {}
    for name, value in headers:
        if name.lower().startswith("ce_") or name.lower() == "content-type":
            if name.lower() in known:
                raise EnvelopeError(DeadLetterReason.NOT_CLOUDEVENT, f"header '{name[:60]}' appears twice")
            known[name.lower()] = value or b""
    return known


def _read(headers: dict[str, bytes], value: bytes) -> tuple[Mapping[str, object], bytes]:
    structured = not any(name.startswith("ce_") for name in headers)
    _require_attributes(strict_json(value) if structured else {name.removeprefix("ce_") for name in headers})
    try:
        event: BaseCloudEvent = from_kafka(
            KafkaMessage(headers=headers, key=None, value=value),
            JSONFormat() if structured else _StrictJson(),
            CloudEvent,
        )
    except (BaseCloudEventException, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise EnvelopeError(
            DeadLetterReason.NOT_CLOUDEVENT,
            f"not a CloudEvent 1.0 in binary or structured mode: {' '.join(str(error).split())[:300]}",
        ) from None
    data = event.get_data()
    return event.get_attributes(), data if isinstance(data, bytes) else json.dumps(data).encode()


def _require_attributes(given: object) -> None:
    """Check required attributes. The SDK invents a missing id or version, so a repeated event would look new each
    time."""
    missing = [name for name in REQUIRED if name not in given] if isinstance(given, dict | set) else list(REQUIRED)
    if missing:
        raise EnvelopeError(
            DeadLetterReason.NOT_CLOUDEVENT,
            f"not a CloudEvent 1.0: {', '.join(missing)} missing (ce_ headers in binary mode, else names in the value)",
        )


def _payload(model: type[Payload], data: bytes) -> Payload:
    strict_json(data)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise EnvelopeError(_reason(error), describe_validation_error(error)) from None


def _reason(error: ValidationError) -> DeadLetterReason:
    kinds = {problem["type"] for problem in error.errors(include_url=False, include_input=False)}
    if FOREIGN_PLAN_ERROR in kinds:
        return DeadLetterReason.AUTHORITY_MISMATCH
    return DeadLetterReason.NOT_JSON if "json_invalid" in kinds else DeadLetterReason.INVALID_PAYLOAD


def _time(value: object) -> datetime:
    try:
        assert isinstance(value, datetime)
        moment = value.astimezone(UTC)
    except OverflowError:
        raise EnvelopeError(DeadLetterReason.NOT_CLOUDEVENT, f"time {value} is beyond the calendar") from None
    if moment.year not in YEARS:
        raise EnvelopeError(DeadLetterReason.NOT_CLOUDEVENT, f"time {value} is not between {YEARS[0]} and {YEARS[-1]}")
    return moment


def _text(attributes: Mapping[str, object], name: str) -> str | None:
    """Check a CloudEvents string: no control characters, no lone surrogates, bounded length."""
    value = attributes.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or _UNPRINTABLE.search(value):
        raise EnvelopeError(DeadLetterReason.NOT_CLOUDEVENT, f"{name} is not plain text")
    if len(value) > MAX_ATTRIBUTE:
        raise EnvelopeError(
            DeadLetterReason.NOT_CLOUDEVENT, f"{name} has {len(value)} characters; the limit is {MAX_ATTRIBUTE}"
        )
    return value


def _require_finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError(f"{digits[:40]} is out of range for a number in JSON")
    return number


def _reject_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number in JSON")


def _reject_duplicate_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read: dict[str, object] = {}
    for name, value in pairs:
        if name in read:
            raise ValueError(f"the name '{name[:60]}' appears twice in one object")
        read[name] = value
    return read
