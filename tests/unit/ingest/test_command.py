"""`jointly publish` and `jointly withdraw` with --dry-run: nothing here opens a socket."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from events.cloudevents import decode
from events.plans import PLAN_PAYLOADS
from events.topics import PLANS
from services.cli import application
from services.cli.producing import KAFKA, REJECTED, USAGE
from services.ingest.publication_state import default_state_path
from services.ingest.register.column_mapping import Columns
from services.platform.settings import settings
from tests.unit.ingest import EXAMPLES

GOLDEN = Path(__file__).parent / "golden"
REGISTER = "Reference,Title,End date\nC-1,Payroll,31/03/2029\nC-2,Telephony,31/03/2029\nC-3,Network,31/03/2029\n"

Command = Callable[..., Result]


@pytest.fixture
def jointly(monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """The command line on a fixed day."""
    monkeypatch.setenv("JOINTLY_AS_OF", "2027-06-01")
    settings.cache_clear()
    runner = CliRunner()

    def run(*arguments: str | Path) -> Result:
        return runner.invoke(application(str(arguments[0])), [str(argument) for argument in arguments])

    yield run
    settings.cache_clear()


@pytest.fixture
def register(tmp_path: Path) -> Path:
    file = tmp_path / "register.csv"
    file.write_text(REGISTER)
    return file


def _events(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        pytest.param(("plans.jsonl",), 0, id="plans"),
        pytest.param(("uk1-pipeline-notice.json",), 0, id="uk1-pipeline-notice"),
        pytest.param(("contract-register.csv", "--authority", "E06000038"), 1, id="contract-register"),
        pytest.param(
            ("mapped-register.csv", "--mapping", str(EXAMPLES / "register-mapping.toml")), 0, id="mapped-register"
        ),
    ],
)
def test_examples_of_the_documentation_publish_as_ever(
    jointly: Command, arguments: tuple[str, ...], exit_code: int
) -> None:
    golden = GOLDEN / Path(arguments[0]).with_suffix(".jsonl").name

    result = jointly("publish", EXAMPLES / arguments[0], *arguments[1:], "--dry-run")

    assert result.stdout == golden.read_text(encoding="utf-8")
    assert result.exit_code == exit_code
    assert not default_state_path(EXAMPLES / arguments[0]).exists()


def test_what_a_dry_run_prints_can_be_published_itself(jointly: Command, tmp_path: Path) -> None:
    first = jointly("publish", EXAMPLES / "uk1-pipeline-notice.json", "--dry-run")
    printed = tmp_path / "events.jsonl"
    printed.write_text(first.stdout)
    assert jointly("publish", printed, "--dry-run").stdout == first.stdout


def test_each_rejected_row_is_named_and_counted(jointly: Command) -> None:
    result = jointly("publish", EXAMPLES / "contract-register.csv", "--authority", "E06000038", "--dry-run")
    assert "contract-register.csv, row 8, end: is empty" in result.stderr
    assert "1 x inferred: a start that is no day was left out" in result.stderr
    assert "5 would be published" in result.stderr
    assert "1 rejected" in result.stderr


def test_json_ends_with_one_line_of_numbers(jointly: Command) -> None:
    result = jointly("publish", EXAMPLES / "plans.jsonl", "--dry-run", "--json")
    assert json.loads(result.stdout.splitlines()[-1]) == {
        "read": 4,
        "published": 4,
        "unchanged": 0,
        "withdrawn": 1,
        "skipped": 0,
        "rejected": 0,
        "reasons": {},
        "notes": {"rejected": [], "skipped": [], "inferred": []},
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.jsonl",), "no file"),
        (("register.csv", "--mapping", "none.toml"), "none.toml can't be read"),
        (("register.csv", "--authority", "Harrow Council"), "ONS code"),
        (("register.csv", "--state", "register.csv"), "not a state file"),
        (("odd.bin",), "--format"),
        (("register.csv", "--format", "xml"), "xml"),
        (("register.csv", "--unknown-buyers", "guess"), "guess"),
    ],
)
def test_wrong_usage_is_told_in_words(
    jointly: Command, register: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(register.parent)
    Path("odd.bin").write_bytes(b"\x00\x01")
    result = jointly("publish", *arguments, "--dry-run")
    assert result.exit_code == 2
    assert words in result.stderr


def test_without_a_broker_it_says_what_to_set(jointly: Command, register: Path) -> None:
    result = jointly("publish", register, "--authority", "E09000015")
    assert result.exit_code == 2
    assert "JOINTLY_KAFKA_BOOTSTRAP_SERVERS" in result.stderr
    assert not default_state_path(register).exists()


@pytest.fixture
def published(register: Path) -> Path:
    """The register's state as it is after publishing all three rows."""
    entries = {f"E09000015:C-{number}": {"revision": 5, "content": "?", "withdrawn": False} for number in range(1, 4)}
    default_state_path(register).write_text(json.dumps({"version": 1, "plans": entries}))
    return register


def test_complete_withdraws_what_has_vanished(jointly: Command, published: Path) -> None:
    published.write_text(REGISTER.replace("C-2,Telephony,31/03/2029\n", ""))
    result = jointly("publish", published, "--authority", "E09000015", "--complete", "--dry-run")
    withdrawn = [event for event in _events(result) if event["type"] == "jointly.plan.withdrawn.v1"]
    assert [(event["subject"], event["data"]["revision"]) for event in withdrawn] == [("E09000015:C-2", 6)]
    assert result.exit_code == 0


def test_without_complete_nothing_is_withdrawn(jointly: Command, published: Path) -> None:
    published.write_text("Reference,Title,End date\nC-1,Payroll,31/03/2029\n")
    result = jointly("publish", published, "--authority", "E09000015", "--dry-run")
    assert {event["type"] for event in _events(result)} == {"jointly.plan.updated.v1"}


def test_complete_refuses_to_withdraw_more_than_half(jointly: Command, published: Path) -> None:
    published.write_text("Reference,Title,End date\nC-1,Payroll,31/03/2029\n")
    options = ("--authority", "E09000015", "--complete", "--dry-run")
    refused = jointly("publish", published, *options)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "2 of 3" in refused.stderr
    assert len(_events(jointly("publish", published, *options, "--yes"))) == 3


def test_a_row_that_is_rejected_has_not_vanished(jointly: Command, published: Path) -> None:
    published.write_text(REGISTER.replace("Telephony,31/03/2029", "Telephony,soon"))
    result = jointly("publish", published, "--authority", "E09000015", "--complete", "--dry-run")
    assert {event["subject"] for event in _events(result)} == {"E09000015:C-1", "E09000015:C-3"}
    assert result.exit_code == 1


def test_a_row_without_a_reference_stops_withdrawing(jointly: Command, published: Path) -> None:
    published.write_text(REGISTER.replace("C-2,", ","))
    result = jointly("publish", published, "--authority", "E09000015", "--complete", "--dry-run")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "row 3" in result.stderr


def test_a_file_that_can_not_be_read_withdraws_nothing(jointly: Command, published: Path) -> None:
    published.write_text("something else")
    result = jointly("publish", published, "--authority", "E09000015", "--complete", "--yes", "--dry-run")
    assert (result.exit_code, result.stdout) == (2, "")


def test_nothing_of_a_file_can_command_the_terminal(jointly: Command, tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_text("Reference,Title,End date\nC-1,Payroll,\x1b[2J[red]soon\n")
    result = jointly("publish", file, "--authority", "E09000015", "--dry-run")
    assert "\x1b" not in result.stderr
    assert "[red]soon" in result.stderr


def test_withdraw(jointly: Command) -> None:
    (event,) = _events(jointly("withdraw", "E09000015:C-1", "--reason", "No longer needed", "--dry-run"))
    assert event["type"] == "jointly.plan.withdrawn.v1"
    assert event["data"] == {
        "plan_id": "E09000015:C-1",
        "revision": 1811808000000,
        "authority": "E09000015",
        "reason": "No longer needed",
    }


@pytest.mark.parametrize(
    ("plan", "revision"), [("C-1", "1"), ("E09000015:a/b", "1"), ("E09000015:C-1", "0"), ("E09000015:C-1", str(2**53))]
)
def test_withdraw_refuses_what_is_no_plan_or_no_revision(jointly: Command, plan: str, revision: str) -> None:
    result = jointly("withdraw", plan, "--reason", "x", "--revision", revision, "--dry-run")
    assert (result.exit_code, result.stdout) == (2, "")


def _state(folder: Path, revision: int) -> Path:
    file = folder / "state.json"
    entry = {"revision": revision, "content": "?", "withdrawn": False}
    file.write_text(json.dumps({"version": 1, "plans": {"E09000015:C-1": entry}}))
    return file


def test_withdraw_goes_above_what_the_state_knows(jointly: Command, tmp_path: Path) -> None:
    known = _state(tmp_path, 1_811_808_000_007)
    (event,) = _events(jointly("withdraw", "e09000015:C-1", "--reason", "x", "--state", known, "--dry-run"))
    assert (event["subject"], event["data"]["revision"]) == ("E09000015:C-1", 1_811_808_000_008)


@pytest.mark.parametrize("revision", ["6", "7"])
def test_withdraw_refuses_what_would_be_superseded(jointly: Command, tmp_path: Path, revision: str) -> None:
    known = _state(tmp_path, 7)
    result = jointly(
        "withdraw", "E09000015:C-1", "--reason", "x", "--revision", revision, "--state", known, "--dry-run"
    )
    assert (result.exit_code, result.stdout) == (REJECTED, "")
    assert "already has revision 7" in result.stderr


def test_withdraw_says_what_to_do_where_no_revision_is_left(jointly: Command, tmp_path: Path) -> None:
    known = _state(tmp_path, 2**53 - 1)
    result = jointly("withdraw", "E09000015:C-1", "--reason", "x", "--state", known, "--dry-run")
    assert result.exit_code in (REJECTED, USAGE)
    assert result.stdout == ""
    assert "jointly plans reset" in result.stderr


@pytest.mark.parametrize(
    "change", [{"revision": 2**53 - 1}, {"tender_window": {"earliest": "2027-01-01", "latest": "2047-01-01"}}]
)
def test_what_the_matcher_would_refuse_is_not_published(
    jointly: Command, tmp_path: Path, change: dict[str, Any]
) -> None:
    plan = json.loads((EXAMPLES / "plans.jsonl").read_text(encoding="utf-8").splitlines()[0])
    file = tmp_path / "plans.jsonl"
    file.write_text(json.dumps(plan | change))
    result = jointly("publish", file, "--dry-run")
    assert (result.exit_code, result.stdout) == (REJECTED, "")
    assert next(iter(change)) in result.stderr


def test_what_the_documentation_shows_for_kcat_is_an_event() -> None:
    text = (EXAMPLES.parent / "publishing.md").read_text(encoding="utf-8")
    headers = [(name, value.encode()) for name, value in re.findall(r"-H ([\w-]+)=(\S+)", text)]
    payload = (EXAMPLES / "plans.jsonl").read_text(encoding="utf-8").splitlines()[0].encode()
    event = decode(headers, payload, PLAN_PAYLOADS)
    (key,) = re.findall(r"-k (\S+)", text)
    assert event.payload.model_dump()["plan_id"] == key
    assert f"-t {PLANS.name} " in text


def test_the_documentation_names_every_column_and_exit_code() -> None:
    text = (EXAMPLES.parent / "publishing.md").read_text(encoding="utf-8")
    assert not [column for column in Columns.model_fields if f"`{column}`" not in text]
    assert all(f"| {code} |" in text for code in (0, REJECTED, USAGE, KAFKA))


def test_notes_of_one_kind_are_counted_together(jointly: Command, tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    rows = "".join(f"C-{number},Payroll,{number} Nonsense\n" for number in range(1, 6))
    file.write_text(f"Reference,Title,End date\n{rows}C-9,Telephony,31/03/2029\n")
    result = jointly("publish", file, "--authority", "E09000015", "--dry-run", "--json")
    report = json.loads(result.stdout.splitlines()[-1])
    (finding,) = report["notes"]["rejected"]
    assert (report["read"], finding["count"], len(finding["examples"])) == (6, 5, 3)
    assert finding["kind"].startswith("end: '…' is not a day")
    assert finding["examples"][0]["text"].startswith("end: '1 Nonsense' is not a day")


def test_the_report_is_one_page_that_needs_nothing_beside_it(jointly: Command, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    options = ("--authority", "E06000038", "--dry-run", "--html", page)
    jointly("publish", EXAMPLES / "contract-register.csv", *options)
    text = page.read_text(encoding="utf-8")
    assert "A trial run: nothing was sent." in text
    assert "E06000038:ICT-2023-041-02f3a610" in text
    assert "a contract without an end needs tender dates of its own" in text
    assert not re.search(r"<(script|link|img|iframe)|https?:", text)


def test_nothing_of_a_file_is_markup_in_the_report(jointly: Command, tmp_path: Path) -> None:
    file, page = tmp_path / "<b>.csv", tmp_path / "report.html"
    file.write_text("Reference,Title,End date\nC-1,<script>alert(1)</script>,31/03/2029\nC-2,Payroll,<img src=x>\n")
    jointly("publish", file, "--authority", "E09000015", "--dry-run", "--html", page)
    text = page.read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "&lt;img src=x&gt;" in text
    assert not re.search(r"<(script|img|b)\b", text)


def test_a_page_that_can_not_be_written_is_told_in_words(jointly: Command, register: Path) -> None:
    result = jointly("publish", register, "--authority", "E09000015", "--dry-run", "--html", register / "none.html")
    assert result.exit_code == USAGE
    assert "can't be written" in result.stderr


def test_a_run_that_ends_early_leaves_no_page(jointly: Command, tmp_path: Path) -> None:
    result = jointly("publish", tmp_path / "none.csv", "--dry-run", "--html", tmp_path / "report.html")
    assert result.exit_code == USAGE
    assert list(tmp_path.iterdir()) == []
