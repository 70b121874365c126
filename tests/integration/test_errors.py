"""Every command, with a part away or wrong: a sentence, no traceback, and the exit code that the docs promise."""

import errno
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer

from services import cli
from services.cli.errors import MEANINGS, ExitCode, Problem, problem_of
from services.local_stack.child_process import free_port
from services.local_stack.postgres import Server
from services.platform.settings import PREFIX, settings
from tests.support.command_line import leaves

ROOT = Path(__file__).parents[2]
PLANS = str(ROOT / "docs/examples/plans.jsonl")
CONTRACTS = str(ROOT / "docs/examples/contracts.jsonl")
FRAMEWORKS = "framework,title,owner,starts,source\nEX1,HR software,Example Purchasing,2026-01-01,an example\n"
REGISTER = "authority,mailbox\nE09000015,procurement@harrow.example\n"
PARTIES = "party,kind,name,authority,joined_on\nGB-X-OFFICE,programme-office,An office,E09000015,2026-04-01\n"
MAX_LINES = 3

NEEDS_DATABASE = {
    "api-token issue": ["E09000015"],
    "api-token list": [],
    "api-token revoke": ["abc"],
    "audit checkpoint": [],
    "audit erase-name": ["abc"],
    "audit export": [],
    "audit prove": ["0"],
    "audit verify": [],
    "authorities export": [],
    "authorities failed": [],
    "authorities held": [],
    "authorities import": ["{register}"],
    "authorities mute": ["E09000015", "--partner", "E09000016"],
    "collect": ["--once"],
    "confirm": ["E09000015:A"],
    "state-hash": [],
    "answer": ["0" * 32, "interested", "--authority", "E09000015"],
    "coalition act": ["0" * 32, "accept", "--authority", "E09000015"],
    "coalition dates": ["0" * 32, "--authority", "E09000015", "--reply-by", "2027-01-22"],
    "coalition document": ["0" * 32, "https://harrow.example/1", "--title", "Lots", "--authority", "E09000015"],
    "coalition export": ["0" * 32],
    "coalition list": [],
    "coalition show": ["0" * 32],
    "coalitions": [],
    "benchmark": ["48450000"],
    "contracts list": [],
    "suppliers": [],
    "extensions answer": ["0" * 32, "none-available", "--authority", "E09000015"],
    "extensions asked": ["--authority", "E09000015"],
    "extensions decide": ["0" * 32, "extend", "--authority", "E09000015"],
    "extensions list": [],
    "digests flush": [],
    "explain": ["E09000015:A"],
    "feedback": ["{empty}", "--plans", "{empty}"],
    "forget": ["E09000015:A"],
    "frameworks check": ["E09000015:A"],
    "frameworks export": [],
    "frameworks import": ["{frameworks}"],
    "frameworks list": [],
    "frameworks remove": ["RM1"],
    "introduce": ["abc", "yes", "--authority", "E09000015"],
    "invite": ["0" * 32, "--authority", "E09000015"],
    "keys add": ["E09000015", "{key}"],
    "keys list": [],
    "keys revoke": ["abc"],
    "matcher": [],
    "migrate": [],
    "notifier": [],
    "opportunities": [],
    "parties convene": ["0" * 32, "--party", "GB-X-OFFICE"],
    "parties delegate": [
        *("GB-X-OFFICE", "--authority", "E09000015"),
        *("--scope", "answer", "--until", "2027-01-31"),
    ],
    "parties delegations": [],
    "parties export": [],
    "parties revoke": ["GB-X-OFFICE", "--authority", "E09000015"],
    "parties import": ["{parties}"],
    "parties list": [],
    "plans reset": ["E09000015:A", "--to", "1", "--by", "operator", "--why", "a test"],
    "plans revisions": ["E09000015:A"],
    "plans stale": [],
    "programme": [],
    "reassess": [],
    "rebuild": ["--check"],
    "relay": [],
    "reorganise": ["--preview", "2027-04-01"],
    "restore-drill": [],
    "route record": ["E09000015:A", "framework", "none-found", "--by", "Category manager"],
    "route show": ["E09000015:A"],
    "signatories export": [],
    "signatories import": ["{signatories}"],
    "signatories list": [],
    "trace": ["abc"],
    "what-if": ["E09000015:A", "--months", "3"],
    "statistics build": ["--database", "--output", "{folder}/statistics.json"],
    "web": [],
}
NEEDS_BROKER = {
    "dead-letters list": [],
    "dead-letters replay": ["abc"],
    "dead-letters show": ["abc"],
    "contracts publish": [CONTRACTS],
    "publish": [PLANS],
    "topics": [],
    "withdraw": ["E09000015:A", "--reason", "no longer needed"],
}
BOTH = ("coalitions", "matcher", "notifier", "relay", "collect")
NEEDS_NEITHER = {
    "asyncapi",
    "audit make-key",
    "demo",
    "doctor",
    "encoder export",
    "evaluate",
    "fit",
    "keys make",
    "openapi",
    "schemas",
    "score",
    "up",
}
"""These end, or run on parts of their own."""


def test_every_command_is_tried() -> None:
    everything = set(leaves(typer.main.get_command(cli.application())))
    assert everything == NEEDS_DATABASE.keys() | NEEDS_BROKER.keys() | NEEDS_NEITHER


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Settings that are right in themselves, and nobody there."""
    for name, value in {
        "DATABASE_URL": f"postgresql://jointly:secret@127.0.0.1:{free_port()}/jointly",
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}",
        "SMTP_URL": f"smtp://127.0.0.1:{free_port()}",
        "EMBEDDING_MODEL": "hashing",
        "LINK_SECRET": "secret" * 6,
    }.items():
        monkeypatch.setenv(PREFIX + name, value)
    settings.cache_clear()
    yield
    settings.cache_clear()


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(away: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs `jointly WORDS...` as the shell does, in this process; its exit code and standard error."""
    (tmp_path / "register.csv").write_text(REGISTER, "utf-8")
    (tmp_path / "frameworks.csv").write_text(FRAMEWORKS, "utf-8")
    (tmp_path / "signatories.csv").write_text("authority,signed_on\nE09000015,2026-04-01\n", "utf-8")
    monkeypatch.setattr(sys, "argv", ["jointly", "keys", "make", "E09000015", "--private-key", str(tmp_path / "own")])
    with pytest.raises(SystemExit):
        cli.main()
    (tmp_path / "key.json").write_text(capfd.readouterr().out, "utf-8")
    (tmp_path / "parties.csv").write_text(PARTIES, "utf-8")
    files = {name: tmp_path / f"{name}.csv" for name in ("register", "frameworks", "signatories", "parties")}
    (tmp_path / "empty.jsonl").touch()
    places = files | {"key": tmp_path / "key.json", "empty": tmp_path / "empty.jsonl", "folder": tmp_path}

    def run(command: str, *more: str) -> tuple[int, str]:
        words = [*command.split(), *(word.format(**places) for word in more)]
        monkeypatch.setattr(sys, "argv", ["jointly", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert isinstance(ended.value.code, int)
        return ended.value.code, capfd.readouterr().err

    return run


def is_short(said: str) -> bool:
    """Whether it is some lines for people."""
    lines = said.strip().splitlines()
    return 0 < len(lines) <= MAX_LINES and "Traceback" not in said and "secret" not in said


@pytest.mark.parametrize(("command", "more"), NEEDS_DATABASE.items())
def test_the_database_is_away(command: str, more: list[str], run: Run) -> None:
    code, said = run(command, *more)
    assert (code, is_short(said)) == (ExitCode.DATABASE, True), said
    assert "PostgreSQL at 127.0.0.1:" in said


@pytest.mark.parametrize(("command", "more"), NEEDS_BROKER.items())
def test_the_broker_is_away(command: str, more: list[str], run: Run) -> None:
    code, said = run(command, *more)
    assert (code, is_short(said)) == (ExitCode.BROKER, True), said
    assert "Kafka can't be reached at 127.0.0.1:" in said


@pytest.mark.parametrize("command", BOTH)
def test_the_broker_of_a_process_is_away(
    command: str, run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}DATABASE_URL", database_url)
    settings.cache_clear()
    code, said = run(command)
    assert (code, is_short(said)) == (ExitCode.BROKER, True), said


@pytest.mark.parametrize(("command", "more"), {**NEEDS_DATABASE, **NEEDS_BROKER}.items())
def test_a_setting_is_wrong(command: str, more: list[str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}DATABASE_URL", "mysql://nowhere")
    settings.cache_clear()
    code, said = run(command, *more)
    assert (code, is_short(said)) == (ExitCode.USAGE, True), said
    assert f"{PREFIX}DATABASE_URL" in said


def test_an_option_that_the_driver_does_not_know(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}DATABASE_URL", "postgresql://u:secret@127.0.0.1:1/jointly?colour=red")
    settings.cache_clear()
    code, said = run("state-hash")
    assert (code, is_short(said), "after its ?" in said) == (ExitCode.USAGE, True, True), said


def test_a_host_that_does_not_exist(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}DATABASE_URL", "postgresql://u:secret@nobody.invalid/jointly")
    monkeypatch.setenv(f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS", "nobody.invalid:9092")
    settings.cache_clear()
    code, said = run("state-hash")
    assert (code, is_short(said), "correct the host" in said) == (ExitCode.DATABASE, True, True), said
    code, said = run("topics")
    assert (code, is_short(said), "nobody.invalid:9092" in said) == (ExitCode.BROKER, True, True), said


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda url: url.replace("/template1", "/nowhere"), "has no database nowhere"),
        (lambda url: re.sub(r"//postgres:[^@]*@", "//postgres:secret@", url), "refuses the sign-in"),
        (lambda url: url.replace("//postgres:", "//stranger:"), "refuses the sign-in"),
    ],
)
def test_the_wrong_database_or_account(
    change: Callable[[str], str],
    sentence: str,
    run: Run,
    postgres_server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(f"{PREFIX}DATABASE_URL", change(postgres_server.url("template1")))
    settings.cache_clear()
    for command in ("state-hash", "migrate", "matcher"):
        code, said = run(command)
        assert (code, is_short(said)) == (ExitCode.DATABASE, True), said
        assert sentence in said


def test_a_database_without_tables(run: Run, empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}DATABASE_URL", empty_database_url)
    settings.cache_clear()
    for command, more in NEEDS_DATABASE.items():
        if command not in (*BOTH, "migrate", "web"):
            code, said = run(command, *more)
            assert (code, is_short(said), "run `jointly migrate`" in said) == (ExitCode.SCHEMA, True, True), said


def test_files_that_are_not_there(run: Run) -> None:
    for words in (
        ("score", "--plans", "/nowhere/plans.jsonl"),
        ("publish", "/nowhere/plans.jsonl"),
        ("authorities import", "/nowhere/register.csv"),
        ("keys add", "E09000015", "/nowhere/key"),
    ):
        code, said = run(*words)
        assert (code, is_short(said), "/nowhere" in said) == (ExitCode.USAGE, True, True), said


def test_what_nobody_foresaw_is_a_sentence_too() -> None:
    problem = problem_of(ZeroDivisionError("division by zero"))
    assert problem.code is ExitCode.INTERNAL
    assert "report" in problem.sentence


def test_the_docs_have_every_exit_code() -> None:
    text = (ROOT / "docs/operations.md").read_text("utf-8")
    rows = "\n".join(["| code | meaning |", "|---|---|", *(f"| {int(code)} | {m} |" for code, m in MEANINGS.items())])
    assert set(MEANINGS) == set(ExitCode)
    assert rows in text, "put this table there:\n\n" + rows


def test_a_pipe_that_nobody_reads_is_not_a_rejection() -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m services.cli publish {PLANS} --dry-run | true"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == ExitCode.CLOSED_PIPE
    assert "Traceback" not in done.stderr


def test_a_full_disk_is_not_a_fault_of_ours() -> None:
    problem = problem_of(OSError(errno.ENOSPC, "No space left on device"))
    assert problem == Problem("the output can't be written: No space left on device", ExitCode.USAGE)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["publish", ".", "--dry-run"], "is a folder"),
        (["publish", "/dev/null", "--dry-run"], "is a device or a pipe"),
        (["publish", PLANS, "--dry-run", "--html", "/nowhere/x.html"], "--html: /nowhere/x.html can't be written"),
        (["publish", PLANS, "--mapping", "nowhere.toml"], "nowhere.toml can't be read: No such file"),
        (["withdraw", "NOCOLON", "--reason", "x", "--dry-run"], "a plan id is the authority, a colon"),
        (["withdraw", "E09000015:A", "--reason", "x", "--revision", "-5", "--dry-run"], "--revision: must be at"),
        (["reorganise", "--preview", "2027-13-01"], "there is no day 2027-13-01"),
        (["audit", "prove", "9" * 30], "'entry': must be at most"),
        (["audit", "prove", "first"], "'entry': must be a whole number"),
        (["publish", PLANS, "--format", "nope"], "'--format': 'nope' is not one of"),
        (["programme", "--as-of", "soon"], "'--as-of': 'soon' is not a day"),
    ],
)
def test_nothing_is_done_where_an_argument_is_wrong(words: list[str], says: str, run: Run) -> None:
    code, said = run(words[0], *words[1:])
    assert (code, "Traceback" in said, "Value error" in said) == (ExitCode.USAGE, False, False), said
    assert says in said
