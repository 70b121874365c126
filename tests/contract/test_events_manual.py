"""What docs/events.md tells an integrator is what the code does: its tables, and the examples as they stand."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from events.cloudevents import MAX_ATTRIBUTE, MAX_VALUE_BYTES, YEARS, decode
from events.dead_letters import MAX_STORED_BYTES, DeadLetterReason
from events.jwk import new_key, to_file_text, verifying_key
from events.plans import PLAN_PAYLOADS, PlanPublished
from events.schemas import payload_types
from events.signing import extract_signature, verify
from events.topics import DAY_MS, TOPICS

TEXT = (Path(__file__).parents[2] / "docs" / "events.md").read_text("utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("|")]


def code(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.S)


def test_every_topic_is_in_the_table_as_it_is_declared() -> None:
    for topic in TOPICS:
        (row,) = [row for row in ROWS if f"`{topic.name}`" in row[0] and len(row) == 5]
        assert row[3] == str(topic.partitions)
        kept = topic.config.get("retention.ms")
        assert row[4] == (f"{int(kept) // DAY_MS} days" if kept else "compacted")
        assert topic.name.startswith("dead-letters") or row[1] == f"`{topic.key}`"


def test_every_reason_is_explained_and_no_other() -> None:
    start = next(number for number, row in enumerate(ROWS) if row[0] == "reason")
    assert [row[0].strip("`") for row in ROWS[start + 2 :]] == [reason.value for reason in DeadLetterReason]


def test_every_field_of_a_plan_is_explained_with_its_default() -> None:
    start = next(number for number, row in enumerate(ROWS) if row[0] == "field of a plan")
    explained = {row[0].strip("`"): row[1] for row in ROWS[start + 2 : start + 2 + len(PlanPublished.model_fields)]}
    assert set(explained) == set(PlanPublished.model_fields)
    for name, field in PlanPublished.model_fields.items():
        assert (explained[name] == "required") is field.is_required(), name
        if isinstance(field.default, str) and field.default:
            assert explained[name] == f"`{field.default}`"


def test_every_type_is_named() -> None:
    for kind in payload_types():
        assert f"`{kind}`" in TEXT or f"`.{kind.split('.', 2)[2]}`" in TEXT, kind


def test_the_limits_are_those_of_the_code() -> None:
    assert f"{MAX_VALUE_BYTES // 1024} KiB" in TEXT
    assert f"{MAX_STORED_BYTES // 1024} KiB" in TEXT
    assert f"{MAX_ATTRIBUTE:,} characters" in TEXT
    assert f"between {YEARS[0]} and {YEARS[-1]}" in TEXT


def published_by_kcat() -> tuple[str, list[tuple[str, bytes]], bytes]:
    command, _, rest = next(block for block in code("sh") if "kcat -P" in block).partition("<<'JSON'\n")
    words = shlex.split(
        command.replace("$(uuidgen)", "1").replace("$(date -u +%Y-%m-%dT%H:%M:%SZ)", "2026-11-02T09:00:00Z")
    )
    headers = [words[i + 1].split("=", 1) for i, word in enumerate(words) if word == "-H"]
    return (
        words[words.index("-k") + 1],
        [(name, value.encode()) for name, value in headers],
        rest.split("\nJSON")[0].encode(),
    )


def test_what_kcat_is_told_to_send_is_a_plan() -> None:
    key, headers, value = published_by_kcat()
    assert b"\n" not in value, "kcat makes a message of each line"
    event = decode(headers, value, PLAN_PAYLOADS)
    assert isinstance(event.payload, PlanPublished)
    assert event.payload.plan_id == key


def test_the_python_example_sends_a_plan() -> None:
    sent: list[dict[str, Any]] = []

    class Producer:
        def send(self, topic: str, **message: Any) -> None:
            sent.append({"topic": topic, **message})

    key, _, value = published_by_kcat()
    _, example = code("python")
    exec(compile(example, "docs/events.md", "exec"), {"plan": json.loads(value), "producer": Producer()})
    (message,) = sent
    event = decode(message["headers"], message["value"], PLAN_PAYLOADS)
    assert isinstance(event.payload, PlanPublished)
    assert message["key"].decode() == event.payload.plan_id == key
    assert message["topic"] == "procurement.plans.v1"


def test_the_python_example_signs_an_event() -> None:
    _, headers, value = published_by_kcat()
    key = new_key("E08000035")
    attributes = {name.removeprefix("ce_"): text.decode() for name, text in headers}
    given = {
        "private_key": to_file_text(key.private_jwk()),
        "attributes": attributes,
        "value": value,
        "headers": headers,
    }
    example, _ = code("python")
    exec(compile(example, "docs/events.md", "exec"), given)
    signature = extract_signature(headers)
    assert signature is not None
    verify(signature, decode(headers, value, PLAN_PAYLOADS), value, verifying_key(key.public.x))


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(events/[a-z]+)/", TEXT))))
def test_every_folder_it_names_is_there(path: str) -> None:
    assert (Path(__file__).parents[2] / path).is_dir()
