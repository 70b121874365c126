"""What is fuzzed: each target takes any bytes, and raises where what they became is not allowed.

A Kafka record is written as text, so that a corpus can be read and mended by hand: a header a line, name, colon and
space, value; an empty line; then the value as it is.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from events.cloudevents import EnvelopeError, Event, Message, decode, encode
from events.dead_letters import DEAD_LETTER_PAYLOADS, DeadLetter
from events.jwk import SigningKey, new_key
from events.notifications import NOTIFICATION_PAYLOADS
from events.opportunities import OPPORTUNITY_PAYLOADS
from events.plans import PLAN_PAYLOADS, PlanState
from events.signing import SignatureError, extract_signature, sign, signed_attributes, verify
from events.topics import PLANS
from services.ingest.entries import AcceptedEntry, Entry, Options
from services.ingest.ocds.reader import read_ocds
from services.ingest.register.column_mapping import BUILT_IN
from services.ingest.register.reader import read_register
from services.matcher.plan_decoding import read as take_in
from services.messaging import dead_letter_queue
from services.messaging.signature_policy import RejectedRecord
from services.store.mapping import plan_from_payload
from tests.unit.events.messages import EXAMPLES, STRUCTURED_HEADERS, example, headers_of, structured, value_of
from tests.unit.ingest import EXAMPLES as PUBLISHED

Headers = list[tuple[str, bytes]]

PAYLOADS: Final = (*PLAN_PAYLOADS, *OPPORTUNITY_PAYLOADS, *NOTIFICATION_PAYLOADS, *DEAD_LETTER_PAYLOADS)
KEY: Final[SigningKey] = new_key("E08000035")
HARROW: Final = Options(authority="E09000015")


def written(headers: Headers, value: bytes) -> bytes:
    """A record as a target reads it."""
    return b"".join(name.encode() + b": " + text + b"\n" for name, text in headers) + b"\n" + value


def record_of(data: bytes) -> tuple[Headers, bytes]:
    """Any bytes as headers and value. Names are text in Kafka, values are bytes."""
    head, _, value = data.partition(b"\n\n")
    lines = [line.partition(b": ") for line in head.split(b"\n") if line]
    return [(name.decode("utf-8", "replace"), text) for name, _, text in lines], value


def events(data: bytes) -> None:
    """An event of ours, or a refusal in a sentence that can be written down; nothing else, and the same once more.

    A record that is refused is kept whole, or says that it is not.
    """
    headers, value = record_of(data)
    try:
        event = decode(headers, value, PAYLOADS)
    except EnvelopeError as error:
        _sayable(str(error))
    else:
        again = encode(event, "key")
        assert decode(again.headers, again.value, PAYLOADS) == event, "written and read again it is another event"
    _taken_in(headers, value)


def _sayable(sentence: str) -> None:
    assert sentence.isprintable(), "the sentence steers a terminal"
    sentence.encode()


def _taken_in(headers: Headers, value: bytes) -> None:
    record: Any = SimpleNamespace(topic=PLANS.name, partition=0, offset=0, key=b"k", headers=headers, value=value)
    item = take_in(record, datetime.now(UTC))
    if isinstance(item, RejectedRecord):
        kept = dead_letter_queue.from_record(record, item.reason, item.sentence)
        letter = decode(kept.headers, kept.value, DEAD_LETTER_PAYLOADS).payload
        assert isinstance(letter, DeadLetter)
        if letter.complete:
            assert [(header.name, header.value) for header in letter.headers] == headers
            assert letter.value == value
    elif isinstance(item.payload, PlanState):
        assert plan_from_payload(item.payload).authority == item.payload.authority


def signatures(data: bytes) -> None:
    """A signature is refused in a sentence, or it is the one that was made for this very event."""
    headers, value = record_of(data)
    with suppress(EnvelopeError, SignatureError):
        event = decode(headers, value, PAYLOADS)
        signature = extract_signature(headers)
        if signature is not None:
            verify(signature, event, value, KEY.key)
            genuine = event_to_sign()
            assert (signed_attributes(event), value) == (signed_attributes(genuine[0]), genuine[1].value), (
                "a forgery was believed"
            )


def ocds(data: bytes) -> None:
    """Each release of a file is a plan event or a refusal."""
    _entries(data, ".json", lambda file: read_ocds(file, Options(unknown_buyers="org-id")))


def register(data: bytes) -> None:
    """Each row of a contract register is a plan event or a refusal."""
    _entries(data, ".csv", lambda file: read_register(file, HARROW, BUILT_IN))


def _entries(data: bytes, suffix: str, read: Callable[[Path], Iterator[Entry]]) -> None:
    with tempfile.NamedTemporaryFile(suffix=suffix, dir=_memory()) as file:
        file.write(data)
        file.flush()
        for entry in read(Path(file.name)):
            if isinstance(entry, AcceptedEntry):
                message = encode(_event(entry.payload), entry.payload.plan_id)
                assert decode(message.headers, message.value, PLAN_PAYLOADS).payload == entry.payload


def _memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _event(payload: Any) -> Event:
    return Event(id="1", type=payload.type, source="/fuzz", time=datetime(2026, 11, 2, tzinfo=UTC), payload=payload)


def event_to_sign() -> tuple[Event, Message]:
    """The one event that `KEY` has signed."""
    golden = example("jointly.plan.published.v1")
    event = decode(headers_of(golden), value_of(golden), PLAN_PAYLOADS)
    return event, encode(event, golden["key"])


def seeds(target: str) -> Iterator[bytes]:
    """What mutation starts from: the golden examples, and the documentation's files."""
    if target == "events":
        for file in sorted(EXAMPLES.glob("*.json")):
            golden = example(file.stem)
            yield written(headers_of(golden), value_of(golden))
            yield written(STRUCTURED_HEADERS, structured(golden))
    elif target == "signatures":
        signed = sign(*event_to_sign(), KEY)
        yield written(list(signed.headers), signed.value)
    else:
        yield from (file.read_bytes() for file in sorted(PUBLISHED.glob("*.json" if target == "ocds" else "*.csv")))


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "events": events,
    "signatures": signatures,
    "ocds": ocds,
    "register": register,
}
