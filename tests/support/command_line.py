"""The command line on a test's database, in the test's own process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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
