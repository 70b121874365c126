"""Whatever is done to a log of entries, an earlier checkpoint shows it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from events.signed_notes import Checkpoint
from services.application.audit import AuditReport, KnownCheckpoint, Verification
from services.domain.audit import MAX_TEXT, Act, AuditAction, Channel, entry_body
from services.domain.merkle import Frontier, leaf_hash
from services.store.audit_log import StoredEntry

START = datetime(2026, 11, 30, 9, tzinfo=UTC)
ids = st.text('aZ:0-\u00e9"\\\n\U0001f3db', min_size=1, max_size=6)
acts = st.builds(
    Act,
    action=st.sampled_from(AuditAction),
    authority=st.none() | ids,
    subject=ids,
    channel=st.sampled_from(Channel),
    actor=st.none() | ids,
    details=st.dictionaries(ids, st.none() | st.booleans() | st.integers() | ids, max_size=3),
)
logs = st.lists(acts, min_size=1, max_size=7)
few = hypothesis_settings(max_examples=40)


def stored(seq: int, act: Act) -> StoredEntry:
    at = START + timedelta(seconds=seq)
    body = entry_body(act, seq, at)
    return StoredEntry(seq, at, act.action.value, act.authority, act.subject, act.actor, body, leaf_hash(body))


def written(made: list[Act]) -> tuple[list[StoredEntry], list[Frontier]]:
    """A log, and its frontier at every size."""
    entries = [stored(seq, act) for seq, act in enumerate(made)]
    frontiers = [Frontier()]
    for entry in entries:
        frontiers.append(frontiers[-1].append(entry.leaf))
    return entries, frontiers


def verified(entries: list[StoredEntry], head: Frontier, *sizes: Frontier) -> AuditReport:
    check = Verification([KnownCheckpoint(Checkpoint("here", one.size, one.root), "a file") for one in sizes])
    for entry in entries:
        check.add(entry)
    return check.finish(head)


@few
@given(logs, st.data())
def test_a_log_that_nobody_touched_is_whole(made: list[Act], data: Any) -> None:
    entries, frontiers = written(made)
    kept = data.draw(st.lists(st.sampled_from(frontiers), max_size=4))
    report = verified(entries, frontiers[-1], *kept)
    assert report.problems == ()
    assert (report.entries, report.root, report.checkpoints) == (len(made), frontiers[-1].root.hex(), len(kept))


@few
@given(logs, acts, st.data())
def test_an_entry_rewritten_with_its_hashes_and_head_is_found(made: list[Act], other: Act, data: Any) -> None:
    entries, frontiers = written(made)
    at = data.draw(st.integers(0, len(made) - 1))
    kept = data.draw(st.sampled_from(frontiers[at + 1 :]))
    changed = [*entries[:at], stored(at, other), *entries[at + 1 :]]
    forged = Frontier()
    for entry in changed:
        forged = forged.append(entry.leaf)
    report = verified(changed, forged, kept)
    assert (report.problems == ()) is (stored(at, other) == entries[at])


@few
@given(logs, st.data())
def test_entries_cut_off_are_found(made: list[Act], data: Any) -> None:
    entries, frontiers = written(made)
    left = data.draw(st.integers(0, len(made) - 1))
    kept = data.draw(st.sampled_from(frontiers[left + 1 :]))
    (problem,) = verified(entries[:left], frontiers[left], kept).problems
    assert "the log was cut" in problem
    assert f"a checkpoint of {kept.size} entries, the log only {left}" in problem


@few
@given(logs, st.data())
def test_an_entry_taken_out_is_found_without_any_checkpoint(made: list[Act], data: Any) -> None:
    entries, frontiers = written([*made, made[0]])
    at = data.draw(st.integers(0, len(made) - 1))
    report = verified(entries[:at] + entries[at + 1 :], frontiers[-1])
    assert report.problems == (f"entries {at} to {at} are missing",)


@few
@given(logs, st.data())
def test_a_column_that_differs_from_what_was_hashed_is_found(made: list[Act], data: Any) -> None:
    entries, frontiers = written(made)
    at = data.draw(st.integers(0, len(made) - 1))
    name = data.draw(st.sampled_from(["at", "action", "authority", "subject", "actor"]))
    other = entries[at].at + timedelta(microseconds=1) if name == "at" else "somebody else entirely"
    entries[at] = replace(entries[at], **{name: other})
    assert verified(entries, frontiers[-1]).problems == (
        f"entry {at} was changed: the columns {name} are not what was hashed",
    )


@pytest.mark.parametrize("field", ["subject", "authority", "actor"])
def test_an_entry_takes_ids_and_no_texts(field: str) -> None:
    values: dict[str, Any] = {"authority": None, "subject": "coalition:1", "actor": None}
    with pytest.raises(ValueError, match="no texts of people"):
        Act(action=AuditAction.RESPONSE_RECORDED, channel=Channel.BROWSER, **{**values, field: "x" * (MAX_TEXT + 1)})
