"""The state beside a register: unchanged rows stay, changed ones rise, vanished ones can be withdrawn."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from events.fields import MAX_REVISION
from events.plans import PlanAwarded, PlanPublished, PlanUpdated
from services.ingest import publication_state
from services.ingest.entries import AcceptedEntry, Entry, Options, RejectedEntry, UnchangedEntry, check_limits
from services.ingest.register.column_mapping import BUILT_IN
from services.ingest.register.reader import read_register

NOW = 1_800_000_000_000


def _read(title: str = "Payroll", revision: int = 1, *, numbered: bool = False) -> AcceptedEntry:
    plan = PlanPublished.model_validate(
        {
            "plan_id": "E09000015:C-1",
            "revision": revision,
            "authority": "E09000015",
            "title": title,
            "kind": "renewal",
            "tender_window": {"earliest": "2028-01-01", "latest": "2028-06-30"},
        }
    )
    return AcceptedEntry("register.csv", "row 2", plan, numbered=numbered)


def _revised(known: publication_state.State, read: Entry, now: int = NOW) -> Entry:
    """What comes of a read, published at once."""
    found = publication_state.assign_revision(read, known, now)
    if isinstance(found, AcceptedEntry):
        known.note(found.payload)
    return found


def test_the_first_time_the_revision_is_the_present_time() -> None:
    found = _revised(publication_state.State(), _read())
    assert isinstance(found, AcceptedEntry)
    assert (type(found.payload), found.payload.revision) == (PlanPublished, NOW)


def test_an_unchanged_row_is_left_alone_and_a_changed_one_rises() -> None:
    known = publication_state.State()
    _revised(known, _read())
    assert isinstance(_revised(known, _read(), NOW + 5), UnchangedEntry)

    changed = _revised(known, _read("Payroll and HR"), NOW + 9)
    assert isinstance(changed, AcceptedEntry)
    assert (type(changed.payload), changed.payload.revision) == (PlanUpdated, NOW + 9)


def test_a_clock_that_went_back_still_raises_the_revision() -> None:
    known = publication_state.State()
    _revised(known, _read())
    changed = _revised(known, _read("Payroll and HR"), NOW - 1000)
    assert isinstance(changed, AcceptedEntry)
    assert changed.payload.revision == NOW + 1


def test_a_change_and_back_again_is_two_changes() -> None:
    known = publication_state.State()
    for number, title in enumerate(("A", "B", "A")):
        assert isinstance(_revised(known, _read(title), NOW + number), AcceptedEntry)


def test_a_vanished_plan_is_withdrawn_once_and_may_come_back() -> None:
    known = publication_state.State()
    _revised(known, _read())
    (gone,) = publication_state.missing_plans(known, set())
    assert (gone.plan_id, gone.revision) == ("E09000015:C-1", NOW + 1)
    known.note(gone)
    assert publication_state.missing_plans(known, set()) == []
    assert publication_state.count_published(known) == 0

    back = _revised(known, _read(), NOW)
    assert isinstance(back, AcceptedEntry)
    assert back.payload.revision == NOW + 2


def test_a_withdrawn_plan_needs_a_higher_revision() -> None:
    known = publication_state.State()
    _revised(known, _read(numbered=True))
    known.note(publication_state.missing_plans(known, set())[0])

    refused = _revised(known, _read(revision=2, numbered=True))
    assert isinstance(refused, RejectedEntry)
    assert "revision 2" in refused.reason
    assert isinstance(_revised(known, _read(revision=3, numbered=True)), AcceptedEntry)


def test_an_awarded_plan_does_not_vanish() -> None:
    known = publication_state.State()
    known.note(PlanAwarded(plan_id="E09000015:C-1", revision=1, authority="E09000015"))
    assert publication_state.missing_plans(known, set()) == []


def test_a_numbered_row_keeps_its_revision() -> None:
    known = publication_state.State()
    found = _revised(known, _read(revision=7, numbered=True))
    assert isinstance(found, AcceptedEntry)
    assert found.payload.revision == 7
    assert isinstance(_revised(known, _read(revision=7, numbered=True)), UnchangedEntry)


def test_a_higher_revision_with_the_same_content_is_published() -> None:
    known = publication_state.State()
    _revised(known, _read(revision=7, numbered=True))
    assert isinstance(_revised(known, _read(revision=8, numbered=True)), AcceptedEntry)


def test_it_is_kept_as_it_was(tmp_path: Path) -> None:
    known = publication_state.State()
    _revised(known, _read())
    file = tmp_path / "state.json"
    publication_state.save(known, file)
    assert publication_state.load(file) == known
    assert list(tmp_path.iterdir()) == [file]


def test_there_need_not_be_one_yet(tmp_path: Path) -> None:
    assert publication_state.load(tmp_path / "none.json") == publication_state.State()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 2, "plans": {}}', '{"plans": {"x": {}}}'])
def test_a_file_that_is_no_state_is_never_taken_for_an_empty_one(tmp_path: Path, content: str) -> None:
    file = tmp_path / "state.json"
    file.write_text(content)
    with pytest.raises(publication_state.StateError, match="--state"):
        publication_state.load(file)


def test_a_place_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(publication_state.StateError, match="can't be written"):
        publication_state.save(publication_state.State(), tmp_path / "none" / "state.json")


def test_a_register_row_without_revisions_is_not_numbered(tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_text("Reference,Title,End date,Revision\nC-1,Payroll,31/03/2029,4\n")
    (numbered,) = read_register(file, Options(authority="E09000015"), BUILT_IN)
    file.write_text("Reference,Title,End date\nC-1,Payroll,31/03/2029\n")
    (plain,) = read_register(file, Options(authority="E09000015"), BUILT_IN)
    assert isinstance(numbered, AcceptedEntry)
    assert isinstance(plain, AcceptedEntry)
    assert (numbered.numbered, numbered.payload.revision, plain.numbered) == (True, 4, False)


@pytest.mark.parametrize("revision", [6, 7])
def test_a_revision_not_above_the_one_that_was_published_is_refused(revision: int) -> None:
    known = publication_state.State()
    _revised(known, _read(revision=7, numbered=True))
    refused = _revised(known, _read("Payroll and HR", revision, numbered=True))
    assert isinstance(refused, RejectedEntry)
    assert refused.field == "revision"
    assert "higher revision" in refused.reason


def test_the_highest_revision_there_is_is_refused() -> None:
    known = publication_state.State(
        plans={"E09000015:C-1": publication_state.LastPublication(revision=MAX_REVISION, content="?")}
    )
    (gone,) = publication_state.missing_plans(known, set())
    changed = publication_state.assign_revision(_read(), known, NOW)
    assert isinstance(changed, AcceptedEntry)
    for read in (AcceptedEntry("register.csv", "row 2", gone), changed):
        refused = check_limits(read, datetime.now(UTC))
        assert isinstance(refused, RejectedEntry)
        assert refused.field == "revision"


def test_a_link_is_neither_read_nor_followed(tmp_path: Path) -> None:
    victim, link = tmp_path / "victim.json", tmp_path / "state.json"
    publication_state.save(publication_state.State(), victim)
    link.symlink_to(victim)
    with pytest.raises(publication_state.StateError, match="is a link"):
        publication_state.load(link)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "state.json")
    with pytest.raises(publication_state.StateError):
        publication_state.load(tmp_path / "state.json")
