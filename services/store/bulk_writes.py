"""Many rows in one statement: they go as one JSON document, which the table's own row type reads.

However many rows there are, it is one round trip and one plan; the columns' types convert what JSON can't hold.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Table, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.store.pipelined_queries import Query, execute_pipelined

Row = Mapping[str, Any]


class BulkWrites:
    """Changes to different tables that go as one statement, in one round trip. None of them sees what another one
    writes, and of one table there may be one that inserts and one that changes other rows."""

    def __init__(self) -> None:
        self._statements: list[str] = []
        self._given: dict[str, Any] = {}

    def add(self, statement: str, **given: Any) -> None:
        """One INSERT, UPDATE or DELETE; the names of its parameters must be its own."""
        if clash := given.keys() & self._given.keys():
            raise ValueError(f"two statements of one round trip name a parameter {sorted(clash)[0]}")
        self._statements.append(statement)
        self._given |= given

    def insert(
        self, table: Table, rows: Sequence[Row], *, key: str | None = None, change: Iterable[str] = (), behind: str = ""
    ) -> None:
        """Inserts rows that all have the same columns, in the order given.

        With `key` (columns), a row that is there already gets the new values of the columns `change`, or stays as it
        is. `behind` is what the statement ends with.
        """
        if rows:
            given = f"{table.name}_rows"
            statement = _insert_sql(table.name, tuple(rows[0]), key, tuple(change), given)
            self.add(f"{statement} {behind}", **{given: to_recordset_json(rows)})

    @property
    def queries(self) -> list[Query[int]]:
        """All of it, as one query; none where there is nothing to do."""
        return [Query(_combine_ctes(tuple(self._statements)), self._given, len)] if self._statements else []

    async def send(self, session: AsyncSession, *, commit: bool = False) -> None:
        """Has the database do all of it, where there is anything; then it may `commit` in the same round trip."""
        await execute_pipelined(session, *self.queries, commit=commit)


@asynccontextmanager
async def bulk_writes(session: AsyncSession) -> AsyncIterator[BulkWrites]:
    """What is added inside the block is sent at its end, behind what the session has to write."""
    writes = BulkWrites()
    yield writes
    await session.flush()
    await writes.send(session)


@cache
def _insert_sql(table: str, names: tuple[str, ...], key: str | None, change: tuple[str, ...], given: str) -> str:
    columns = ", ".join(map(_quoted, names))
    clash = ""
    if key is not None:
        new = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in change)
        clash = f" ON CONFLICT ({key}) DO " + (f"UPDATE SET {new}" if new else "NOTHING")
    return (
        f"INSERT INTO {_quoted(table)} ({columns})"  # noqa: S608 (names of our own tables and columns)
        f" SELECT {columns} FROM json_populate_recordset(NULL::{_quoted(table)}, CAST(:{given} AS json)){clash}"
    )


@cache
def _combine_ctes(statements: tuple[str, ...]) -> TextClause:
    """All but the last as parts of its WITH: the database runs those to their end, too, though nothing reads them."""
    *others, last = statements
    parts = ", ".join(f"part_{number} AS ({statement})" for number, statement in enumerate(others))
    return text(f"WITH {parts} {last}" if parts else last)


def to_recordset_json(rows: Sequence[Row]) -> str:
    """Rows as the JSON that PostgreSQL's `json_populate_recordset` reads."""
    return to_json([{name: _plain(value) for name, value in row.items()} for row in rows]).decode()


def _plain(value: Any) -> Any:
    return "\\x" + value.hex() if isinstance(value, bytes) else value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
