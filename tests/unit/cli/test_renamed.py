"""A command of an earlier version ends with its current name."""

import sys

import pytest
import typer

from services import cli
from tests.support.command_line import leaves


@pytest.mark.parametrize(("old", "new"), cli.RENAMED.items())
def test_an_old_name_is_refused_with_the_new_one(
    old: str, new: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["jointly", *old.split(), "--authority", "E08000035"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"jointly: `{old}` is called `{new}` now\n"


def test_only_current_names_are_commands() -> None:
    known = set(leaves(typer.main.get_command(cli.application())))
    assert not cli.RENAMED.keys() & known
    assert all(any(new.startswith(command) for command in known) for new in cli.RENAMED.values())
