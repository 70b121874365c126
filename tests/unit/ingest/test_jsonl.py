"""Plan payloads as JSONL: what is read, what is refused with which reason, and that the rest always goes on."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from events.plans import PlanAwarded, PlanPublished, PlanUpdated, PlanWithdrawn
from services.ingest import formats
from services.ingest.entries import Entry, Options, UnchangedEntry
from services.ingest.event_publisher import plan_event
from services.ingest.jsonl import MAX_LINE_BYTES, read_jsonl
from tests.unit.ingest import SHARED, accepted, rejected

PLAN: dict[str, Any] = {
    "plan_id": "E09000015:ICT-1",
    "revision": 1,
    "authority": "E09000015",
    "title": "HR and payroll system",
    "kind": "renewal",
    "tender_window": {"earliest": "2027-03-01", "latest": "2027-06-30"},
}
GOOD = json.dumps(PLAN | {"plan_id": "E09000015:GOOD"}).encode()


def _reads(tmp_path: Path, content: bytes, options: Options | None = None) -> list[Entry]:
    file = tmp_path / "plans.jsonl"
    file.write_bytes(content)
    return list(formats.deduplicate(read_jsonl(file, options or Options())))


def _changed(**changes: object) -> bytes:
    return json.dumps(PLAN | changes).encode()


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        pytest.param(b"not json", "", "not JSON", id="not json"),
        pytest.param(b"[1, 2]", "", "not an object", id="a list"),
        pytest.param(_changed().replace(b'"revision": 1', b'"revision": NaN'), "", "NaN", id="NaN"),
        pytest.param(_changed(value={"amount": 1}).replace(b": 1}", b": 1e999}"), "", "is out of range", id="1e999"),
        pytest.param(_changed().replace(b"{", b'{"title": "twice", ', 1), "", "appears twice", id="a name twice"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, "", "nested too deeply", id="deep nesting"),
        pytest.param(b'{"a":' * 30_000 + b"1" + b"}" * 30_000, "", "nested too deeply", id="deep objects"),
        pytest.param(_changed().replace(b"HR and", b"HR \\ud800 and"), "", "hex escape", id="lone surrogate"),
        pytest.param(b'{"plan_id": "\xff\xfe"}', "", "not UTF-8 at byte", id="not UTF-8"),
        pytest.param(_changed(revision=1.5), "revision", "whole number", id="revision not whole"),
        pytest.param(_changed(revision="1"), "revision", "whole number", id="revision as text"),
        pytest.param(_changed(title=" "), "title", "is empty", id="empty title"),
        pytest.param(_changed(title="a\u0000b"), "title", "control characters", id="control characters"),
        pytest.param(_changed(plan_id="E06000001:1"), "", "authority", id="another's plan"),
        pytest.param(_changed(kind="lease"), "kind", "new", id="unknown kind"),
        pytest.param(_changed(type="deleted"), "type", "published, updated, withdrawn, awarded", id="unknown type"),
        pytest.param(b'{"ocid": "ocds-1"}', "", "--format ocds", id="OCDS"),
        pytest.param(_changed(description="x" * 10_000_000), "", "the limit for a plan is", id="10 MB description"),
        pytest.param(
            _changed(tender_window={"earliest": "2027-07-01", "latest": "2027-06-30"}),
            "tender_window",
            "is after latest",
            id="window the wrong way round",
        ),
    ],
)
def test_refused_with_line_and_field_and_the_rest_goes_on(tmp_path: Path, line: bytes, field: str, words: str) -> None:
    reads = _reads(tmp_path, b"\n".join([GOOD, line, _changed()]))

    (refusal,) = rejected(reads)
    assert (refusal.file, refusal.where, refusal.field) == ("plans.jsonl", "line 2", field)
    assert words in refusal.reason
    assert [plan.plan_id for plan in accepted(reads)] == ["E09000015:GOOD", "E09000015:ICT-1"]


def test_windows_line_ends_and_blank_lines_are_read(tmp_path: Path) -> None:
    reads = _reads(tmp_path, b"\xef\xbb\xbf" + GOOD + b"\r\n\r\n  \r\n" + _changed() + b"\r\n")

    assert [read.where for read in reads] == ["line 1", "line 4"]
    assert not rejected(reads)


@pytest.mark.parametrize(
    ("line", "model"),
    [
        (_changed(), PlanPublished),
        (_changed(type="published"), PlanPublished),
        (_changed(type="jointly.plan.updated.v1"), PlanUpdated),
        (_changed(type="withdrawn", reason="gone"), PlanWithdrawn),
        (_changed(type="awarded", awarded_on="2027-01-31"), PlanAwarded),
    ],
)
def test_the_type_says_which_event_it_is(tmp_path: Path, line: bytes, model: type) -> None:
    assert [type(plan) for plan in accepted(_reads(tmp_path, line))] == [model]


def test_a_whole_cloudevent_is_read_too(tmp_path: Path) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/x", "type": "jointly.plan.updated.v1", "data": PLAN}
    (plan,) = accepted(_reads(tmp_path, json.dumps(event).encode()))
    assert isinstance(plan, PlanUpdated)
    assert plan.title == PLAN["title"]


def test_a_repeated_revision_must_be_equal(tmp_path: Path) -> None:
    reads = _reads(tmp_path, b"\n".join([_changed(), _changed(), _changed(title="other"), _changed(revision=2)]))

    assert isinstance(reads[1], UnchangedEntry)
    (refusal,) = rejected(reads)
    assert (refusal.where, refusal.field) == ("line 3", "revision")
    assert "line 1" in refusal.reason
    assert [plan.revision for plan in accepted(reads)] == [1, 2]


def test_only_its_own_plans_where_the_authority_is_named(tmp_path: Path) -> None:
    other = _changed(plan_id="E09000014:1", authority="E09000014")
    reads = _reads(tmp_path, GOOD + b"\n" + other, Options(authority="E09000015"))
    assert [refusal.field for refusal in rejected(reads)] == ["authority"]
    assert len(accepted(reads)) == 1


def test_reasons_never_repeat_what_the_line_holds(tmp_path: Path) -> None:
    reads = _reads(
        tmp_path, _changed(title={"secret": "jane@council.example"}, value={"amount": "jane@council.example"})
    )
    assert "jane" not in rejected(reads)[0].reason


def test_an_endless_line_is_not_kept_in_memory(tmp_path: Path) -> None:
    file = tmp_path / "plans.jsonl"
    with file.open("wb") as stream:
        for _ in range(64):
            stream.write(b"x" * 1024 * 1024)
        stream.write(b"\n" + GOOD)
    tracemalloc.start()
    try:
        reads = list(read_jsonl(file, Options()))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert f"has {64 * 1024 * 1024 + 1} bytes" in rejected(reads)[0].reason
    assert rejected(reads)[0].where == "line 1"
    assert len(accepted(reads)) == 1
    assert peak < 8 * MAX_LINE_BYTES


def test_a_line_that_ends_exactly_at_the_limit_is_read(tmp_path: Path) -> None:
    padded = GOOD + b" " * (MAX_LINE_BYTES - len(GOOD))
    reads = _reads(tmp_path, padded + b"\n" + _changed())
    assert len(accepted(reads)) == 2


def test_a_missing_file_is_one_refusal(tmp_path: Path) -> None:
    (refusal,) = rejected(read_jsonl(tmp_path / "none.jsonl", Options()))
    assert "can't be read" in refusal.reason


def test_an_event_id_changes_with_any_content(tmp_path: Path) -> None:
    lines = [_changed(), _changed(title="other"), _changed(revision=2), _changed(type="updated")]
    ids = [plan_event(accepted(_reads(tmp_path, line))[0]).id for line in lines]
    assert len(set(ids)) == len(lines)
    assert plan_event(accepted(_reads(tmp_path, lines[0]))[0]).id == ids[0]


@pytest.mark.skipif(not (SHARED / "plans.jsonl").is_file(), reason="the real plans are not beside the repository")
def test_all_real_plans_are_accepted() -> None:
    reads = list(formats.deduplicate(read_jsonl(SHARED / "plans.jsonl", Options())))
    assert rejected(reads) == []
    assert len(accepted(reads)) == 3086
