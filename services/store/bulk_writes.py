"""Bulk writes: one statement writes many rows, sent as one JSON document that PostgreSQL reads with the table's row
type.

Any number of rows costs one round trip and one query plan. The column types convert values that JSON has no type for.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Table, TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.store.pipelined_queries import PipelinedQuery, execute_pipelined

Row = Mapping[str, Any]


class BulkWrites:
    """Changes to several tables, sent as one statement in one round trip. No change sees the rows that another writes,
    so one table may have one insert and one update, of different rows."""

    def __init__(self) -> None:
        self._statements: list[str] = []
        self._given: dict[str, Any] = {}

    def add(self, statement: str, **given: Any) -> None:
        """Add one INSERT, UPDATE or DELETE. Its parameter names must be unique among all changes."""
        if clash := given.keys() & self._given.keys():
            raise ValueError(f"two statements of one round trip name a parameter {sorted(clash)[0]}")
        self._statements.append(statement)
        self._given |= given

    def insert(
        self, table: Table, rows: Sequence[Row], *, key: str | None = None, change: Iterable[str] = (), behind: str = ""
    ) -> None:
        """Insert rows that all have the same columns, in the order given.

        `key` names the columns of a unique key. A row whose key exists gets new values in the columns `change`; without
        `change` it stays as it is. `behind` is appended to the statement.
        """
        if rows:
            given = f"{table.name}_rows"
            statement = _insert_sql(table.name, tuple(rows[0]), key, tuple(change), given)
            self.add(f"{statement} {behind}", **{given: to_recordset_json(rows)})

    @property
    def queries(self) -> list[PipelinedQuery[int]]:
        """All changes as one query; empty if there are none."""
        return [PipelinedQuery(_combine_ctes(tuple(self._statements)), self._given, len)] if self._statements else []

    async def send(self, session: AsyncSession, *, commit: bool = False) -> None:
        """Execute all changes. With `commit`, the same round trip also commits."""
        await execute_pipelined(session, *self.queries, commit=commit)


@asynccontextmanager
async def bulk_writes(session: AsyncSession) -> AsyncIterator[BulkWrites]:
    """Collect changes inside the block. At its end, flush the session first, then send the changes."""
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
    """Turn all statements but the last into CTEs. PostgreSQL runs data-modifying CTEs to completion even if nothing
    reads them."""
    *others, last = statements
    parts = ", ".join(f"part_{number} AS ({statement})" for number, statement in enumerate(others))
    return text(f"WITH {parts} {last}" if parts else last)


def to_recordset_json(rows: Sequence[Row]) -> str:
    """Encode rows as JSON for PostgreSQL's `json_populate_recordset`."""
    return to_json([{name: _plain(value) for name, value in row.items()} for row in rows]).decode()


def _plain(value: Any) -> Any:
    return "\\x" + value.hex() if isinstance(value, bytes) else value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
