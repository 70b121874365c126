"""`publish` as a call for a council's own script: what it takes, gives back and raises."""

from datetime import date
from pathlib import Path

import pytest

from events.plans import PlanPayload
from services.ingest import PublishOptions, Report, UsageError, publish
from services.ingest.entries import Entry
from services.ingest.register.column_mapping import Columns, RegisterMapping
from services.ingest.report import MAX_ENTRIES, Outcome
from services.platform.settings import Settings, SettingsError

SETTINGS = Settings(as_of=date(2027, 6, 1))
DRY = PublishOptions(authority="e09000015", dry_run=True, listed=True)


def register(folder: Path, rows: str) -> Path:
    file = folder / "register.csv"
    file.write_text(f"Reference,Title,End date\n{rows}")
    return file


def test_it_says_what_became_of_each_entry(tmp_path: Path) -> None:
    rows = "C-1,Payroll,31/03/2029\nC-2,Telephony,soon\nTotal,,\nC-3,Network,31/03/2020\n"
    report = publish(register(tmp_path, rows), DRY, settings=SETTINGS)
    assert isinstance(report, Report)
    assert [entry.outcome for entry in report.entries] == [
        Outcome.PUBLISHED, Outcome.REJECTED, Outcome.SKIPPED, Outcome.SKIPPED
    ]  # fmt: skip
    assert report.entries[0].plan_id == "E09000015:C-1"
    assert report.entries[0].tender == "2028-06-30 to 2028-12-31"
    assert (report.read, report.published, report.rejected_count, report.skipped_count) == (4, 1, 1, 2)


def test_entries_and_events_are_shown_as_they_come(tmp_path: Path) -> None:
    entries: list[Entry] = []
    events: list[PlanPayload] = []
    file = register(tmp_path, "C-1,Payroll,31/03/2029\nC-2,Telephony,soon\n")
    publish(file, DRY, settings=SETTINGS, on_entry=entries.append, on_published=events.append)
    assert [entry.where for entry in entries] == ["row 2", "row 3"]
    assert [event.plan_id for event in events] == ["E09000015:C-1"]


def test_a_mapping_may_be_given_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_text("Key,What,Runs until\nC-1,Payroll,31/03/2029\n")
    columns = Columns.model_validate({"reference": "Key", "title": "What", "end": "Runs until"})
    options = PublishOptions(authority="E09000015", dry_run=True, mapping=RegisterMapping(columns=columns))
    assert publish(file, options, settings=SETTINGS).published == 1


@pytest.mark.parametrize("name", ["none.csv", "odd.bin"])
def test_what_can_not_be_published_at_all_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "odd.bin").write_bytes(b"\x00\x01")
    with pytest.raises(UsageError):
        publish(tmp_path / name, DRY, settings=SETTINGS)


def test_without_a_broker_it_says_which_setting_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="JOINTLY_KAFKA_BOOTSTRAP_SERVERS"):
        publish(
            register(tmp_path, "C-1,Payroll,31/03/2029\n"), PublishOptions(authority="E09000015"), settings=SETTINGS
        )


def test_a_long_file_is_listed_up_to_a_limit(tmp_path: Path) -> None:
    rows = "".join(f"C-{number},Payroll,31/03/2029\n" for number in range(MAX_ENTRIES + 10))
    report = publish(register(tmp_path, rows), DRY, settings=SETTINGS)
    assert len(report.entries) == MAX_ENTRIES
    assert report.published == MAX_ENTRIES + 10
