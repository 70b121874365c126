"""What was found hostile once stays harmless. `make test-slow` fuzzes every reader for a short time."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.fuzz import __main__ as fuzzing
from tests.fuzz import targets
from tests.fuzz.__main__ import HOSTILE, fuzz
from tests.fuzz.targets import TARGETS, seeds

INPUTS = 150
FOUND = sorted(file for file in HOSTILE.rglob("*") if file.is_file())

needs_atheris = pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not made for this machine")


@pytest.mark.parametrize("file", FOUND, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_was_hostile_is_read_or_refused(file: Path) -> None:
    TARGETS[file.parent.name](file.read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_what_mutation_starts_from_is_read(target: str) -> None:
    begin = list(seeds(target))
    assert begin
    for data in (*begin, b"", b"\x00", b"\n\n", b"\xff" * 100):
        TARGETS[target](data)


def test_a_reader_that_raises_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("specversion")

    monkeypatch.setattr(targets, "decode", broken)
    with pytest.raises(KeyError):
        TARGETS["events"](next(seeds("events")))


def test_a_forgery_that_is_believed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "verify", lambda *_: None)
    (signed,) = seeds("signatures")
    TARGETS["signatures"](signed)
    with pytest.raises(AssertionError, match="a forgery was believed"):
        TARGETS["signatures"](signed.replace(b'"title":"', b'"title":"Not '))


@pytest.mark.slow
@needs_atheris
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_fuzzing_finds_nothing(target: str, tmp_path: Path) -> None:
    found, said = fuzz(target, runs=INPUTS, seed=7, kept=tmp_path)
    assert found.ok, said
    assert found.inputs >= INPUTS
    assert found.features > 100, "nothing was instrumented"


@pytest.mark.slow
@needs_atheris
def test_an_input_that_takes_too_much_memory_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing, "MOST_MEGABYTES", 8)
    found, said = fuzz("events", seconds=300, seed=7, kept=tmp_path)
    assert not found.ok
    assert "out-of-memory" in said


def test_a_target_that_does_not_exist_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["fuzz", "weather"])
    with pytest.raises(SystemExit):
        fuzzing.main()
    assert "no target weather; there are events" in capsys.readouterr().err
