"""Turns every error that a user can fix into one sentence and one exit code. No other module does."""

import errno
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import typer
from typer.core import TyperGroup

from services.cli.terminal import plain
from services.platform.settings import PREFIX, SettingsError, is_debugging, settings

_MAX_DETAIL: Final = 300


class ExitCode(IntEnum):
    """The outcome of a command. `docs/operations.md` has the same table."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    BROKER = 3
    DATABASE = 4
    SCHEMA = 5
    INTERNAL = 70
    INTERRUPTED = 130
    CLOSED_PIPE = 141


MEANINGS: Final = {
    ExitCode.DONE: "Done.",
    ExitCode.REFUSED: "Done, and the answer is no: something was rejected, refused, differs or does not exist.",
    ExitCode.USAGE: "Nothing was done: wrong usage, a wrong setting, an unreadable file, or a state of the database "
    "that the command can't work in.",
    ExitCode.BROKER: "Kafka can't be reached, refuses the sign-in, or did not take something.",
    ExitCode.DATABASE: "PostgreSQL can't be reached, refuses the sign-in, or has no such database.",
    ExitCode.SCHEMA: "The database is not one that this version can work with: other tables, another generation.",
    ExitCode.INTERNAL: f"A fault of Jointly's own. `{PREFIX}LOG_LEVEL=DEBUG` adds the traceback: please report it.",
    ExitCode.INTERRUPTED: "Stopped by Ctrl-C.",
    ExitCode.CLOSED_PIPE: "The program that read the output, such as `head`, has ended.",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """The problem and the remedy in a sentence, and the exit code for programs."""

    sentence: str
    code: ExitCode


class Commands(TyperGroup):
    """The command group. It turns an exception of a command into a sentence on standard error and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Typer's own exceptions (usage, exit, abort) pass through."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # Nobody reads the rest of the buffer. Python would complain about it at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(int(ExitCode.CLOSED_PIPE)) from None
        except Exception as error:
            if isinstance(error, typer.BadParameter):
                _describe_option(error)
            if type(error).__module__.startswith("typer."):
                raise
            raise _exit(error) from None


def _describe_option(error: typer.BadParameter) -> None:
    """Replace pydantic's words in the message about an option, which Typer passes on, by our own."""
    from pydantic import ValidationError

    from events.validation_sentences import describe_problem

    if isinstance(error.__cause__, ValidationError):
        error.message = plain(describe_problem(error.__cause__.errors()[0]), _MAX_DETAIL)


def problem_of(error: BaseException) -> Problem:
    """Return the sentence and exit code of an error; an unknown error is a bug of ours."""
    for cause in _causes(error):
        for find in _KINDS:
            if (problem := find(cause)) is not None:
                return problem
    return Problem(
        f"this should not happen: {type(error).__name__}: {detail(error)}. Run it again with {PREFIX}LOG_LEVEL=DEBUG "
        "and report what it prints",
        ExitCode.INTERNAL,
    )


def fail(sentence: str, code: int) -> NoReturn:
    """End the command with a sentence on standard error and an exit code."""
    print(plain(sentence, 1000), file=sys.stderr)  # noqa: T201
    raise typer.Exit(code)


def detail(error: BaseException) -> str:
    """Return an error's message in one line, without statements or parameters, which may hold plan texts."""
    # The driver adds a line of the statement. It does not help users.
    said = plain(str(getattr(error, "orig", None) or error).partition("\nLINE ")[0], _MAX_DETAIL)
    return said or type(error).__name__


def _exit(error: BaseException) -> typer.Exit:
    problem = problem_of(error)
    if is_debugging():
        traceback.print_exception(error)
    print(f"jointly: {problem.sentence}", file=sys.stderr)  # noqa: T201
    return typer.Exit(int(problem.code))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error, the errors it wraps or was raised from, and the members of a group."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            waiting.extend(current.exceptions)
        waiting.extend((getattr(current, "orig", None), current.__cause__))


def _settings(error: BaseException) -> Problem | None:
    return Problem(str(error), ExitCode.USAGE) if isinstance(error, SettingsError) else None


def _own(error: BaseException) -> Problem | None:
    """Use the message of our own exceptions. They are matched by name, because their modules load slowly."""
    names = {kind.__name__ for kind in type(error).__mro__ if kind.__module__.startswith(("services.", "matching."))}
    code = next((code for name, code in OWN_ERRORS.items() if name in names), None)
    return None if code is None else Problem(plain(str(error), 2000), code)


OWN_ERRORS: Final = {
    "TopicsError": ExitCode.BROKER,
    "SchemaError": ExitCode.SCHEMA,
    "WrongGenerationError": ExitCode.SCHEMA,
    "IdKeyMissingError": ExitCode.SCHEMA,
    "RebuildError": ExitCode.USAGE,
    "ReassessError": ExitCode.USAGE,
    "PolicyError": ExitCode.USAGE,
    "StatisticsError": ExitCode.USAGE,
    "EmbeddingError": ExitCode.USAGE,
    "PlanFileError": ExitCode.USAGE,
    "DrillError": ExitCode.USAGE,
    "ComponentError": ExitCode.REFUSED,
    "UnknownAuthorityError": ExitCode.REFUSED,
}


def _database(error: BaseException) -> Problem | None:
    import psycopg
    from sqlalchemy.exc import ArgumentError
    from sqlalchemy.exc import TimeoutError as PoolTimeoutError

    if isinstance(error, ArgumentError):
        return Problem(f"{PREFIX}DATABASE_URL is not a URL of a PostgreSQL database", ExitCode.USAGE)
    if isinstance(error, PoolTimeoutError):
        return Problem(f"{_where()} has no connection left for this; see its max_connections", ExitCode.DATABASE)
    if not isinstance(error, psycopg.Error):
        return None
    for pattern, code, sentence in _SAID:
        if re.search(pattern, str(error)):
            return Problem(sentence.format(where=_where(), name=_name()), code)
    state = (getattr(error, "sqlstate", None) or "")[:5]
    for prefix, code, sentence in _STATES:
        if state.startswith(prefix):
            return Problem(sentence.format(where=_where(), name=_name(), detail=detail(error)), code)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        # The client's own advice ("Is the server running ...") is replaced by ours.
        said = detail(error).removeprefix("connection failed: ").split(" Is the server running", maxsplit=1)[0]
        return Problem(
            f"{_where()} can't be reached ({said}): is it up, and is {PREFIX}DATABASE_URL right?", ExitCode.DATABASE
        )
    return None


_SAID: Final = (
    (
        r"invalid connection option|invalid URI query parameter",
        ExitCode.USAGE,
        f"{PREFIX}DATABASE_URL has an option after its ? that PostgreSQL's driver does not know",
    ),
    (
        r"password authentication failed|no pg_hba.conf entry|role \".*\" (does not exist|is not perm)|no password",
        ExitCode.DATABASE,
        f"{{where}} refuses the sign-in: see user and password in {PREFIX}DATABASE_URL",
    ),
    (
        r"database \".*\" does not exist",
        ExitCode.DATABASE,
        f"{{where}} has no database {{name}}: create it, or correct {PREFIX}DATABASE_URL",
    ),
    (
        r"failed to resolve host|could not translate host name|Name or service not known|nodename nor servname",
        ExitCode.DATABASE,
        f"{{where}} does not exist by that name: correct the host in {PREFIX}DATABASE_URL",
    ),
)
"""Matches server and client messages when the SQLSTATE is missing or too vague."""

_STATES: Final = (
    ("42P01", ExitCode.SCHEMA, "the database {name} lacks a table ({detail}): run `jointly migrate`"),
    ("42703", ExitCode.SCHEMA, "the database {name} lacks a column ({detail}): run `jointly migrate`"),
    ("42883", ExitCode.SCHEMA, "the database {name} lacks a function ({detail}): run `jointly migrate`"),
    ("42P07", ExitCode.SCHEMA, "the database {name} has a table of that name already ({detail}): name an empty one"),
    ("42704", ExitCode.SCHEMA, "the database {name} lacks something ({detail}): run `jointly migrate`"),
    ("42501", ExitCode.DATABASE, "the account may not do this in the database {name}: {detail}"),
    ("25006", ExitCode.DATABASE, "{where} is read-only (a standby?): name the primary"),
    ("53300", ExitCode.DATABASE, "{where} has no connection left: see its max_connections"),
    ("53", ExitCode.DATABASE, "{where} is out of resources: {detail}"),
    ("57", ExitCode.DATABASE, "{where} is stopping, starting, or ended the statement: {detail}. Run it again"),
    ("40", ExitCode.DATABASE, "{where} gave the transaction up for another ({detail}). Run it again"),
)


def _where() -> str:
    parts = urlsplit(settings().database_url.get_secret_value())
    return f"PostgreSQL at {parts.hostname or 'localhost'}:{parts.port or 5432}"


def _name() -> str:
    return urlsplit(settings().database_url.get_secret_value()).path.lstrip("/") or "(none named)"


def _broker(error: BaseException) -> Problem | None:
    from aiokafka.errors import KafkaConnectionError, KafkaError

    if not isinstance(error, KafkaError):
        return None
    where = ", ".join(settings().kafka_bootstrap_servers)
    if isinstance(error, KafkaConnectionError):
        return Problem(
            f"Kafka can't be reached at {where}: is it up, and are {PREFIX}KAFKA_BOOTSTRAP_SERVERS and "
            f"{PREFIX}KAFKA_SECURITY_PROTOCOL right?",
            ExitCode.BROKER,
        )
    return Problem(f"Kafka at {where} refused: {type(error).__name__} {detail(error)}", ExitCode.BROKER)


_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says when the output's disk takes no more."""


def _file(error: BaseException) -> Problem | None:
    """Describe a file that can't be read or written. A network error has no file name."""
    import ssl

    if isinstance(error, ssl.SSLError):
        return Problem(f"TLS failed ({detail(error)}): see {PREFIX}KAFKA_CA_FILE and its siblings", ExitCode.USAGE)
    if isinstance(error, OSError) and error.filename is not None:
        return Problem(f"{plain(str(error.filename))}: {error.strerror}", ExitCode.USAGE)
    if isinstance(error, OSError) and error.errno in _FULL:
        return Problem(f"the output can't be written: {error.strerror}", ExitCode.USAGE)
    return None


_KINDS: Final[tuple[Callable[[BaseException], Problem | None], ...]] = (
    _settings,
    _own,
    _broker,
    _database,
    _file,
)
