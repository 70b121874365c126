"""The command line on a test's database, in the test's own process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli import application
from services.platform.settings import settings

CommandLine = Callable[..., tuple[int, str, str]]
"""Runs a command with its arguments; returns its exit code, and what it wrote to stdout and stderr."""


@contextmanager
def command_line(database_url: str, monkeypatch: pytest.MonkeyPatch, **environment: str) -> Iterator[CommandLine]:
    """The command `jointly` on this database, with these settings."""
    environment["JOINTLY_DATABASE_URL"] = database_url.replace("postgresql+psycopg", "postgresql")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        done = CliRunner().invoke(application(str(arguments[0])), [str(argument) for argument in arguments])
        return done.exit_code, done.stdout, done.stderr

    yield run
    settings.cache_clear()


def run_jointly(*arguments: str, code: int = 0) -> str:
    """Runs a command; its output."""
    settings.cache_clear()
    try:
        done = CliRunner().invoke(application(arguments[0]), list(arguments))
        assert done.exit_code == code, done.output
        return done.output
    finally:
        settings.cache_clear()


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every command that does something, by its words."""
    inner = getattr(command, "commands", None)
    if not inner:
        yield " ".join(path)
        return
    for name, one in inner.items():
        yield from leaves(one, (*path, name))
