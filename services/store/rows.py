"""Many rows in one statement: they go as one JSON document, which the table's own row type reads.

However many rows there are, it is one round trip and one plan; the columns' types convert what JSON can't hold.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncSession

Row = Mapping[str, Any]


async def insert(
    session: AsyncSession, table: Table, rows: Sequence[Row], *, key: str | None = None, change: Iterable[str] = ()
) -> None:
    """Inserts rows that all have the same columns, in the order given.

    With `key` (columns), a row that is there already gets the new values of the columns `change`, or stays as it is.
    """
    if not rows:
        return
    names = ", ".join(_quoted(name) for name in rows[0])
    clash = ""
    if key is not None:
        new = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in change)
        clash = f" ON CONFLICT ({key}) DO " + (f"UPDATE SET {new}" if new else "NOTHING")
    await session.execute(
        text(
            f"INSERT INTO {_quoted(table.name)} ({names})"  # noqa: S608 (names of our own tables and columns)
            f" SELECT {names} FROM json_populate_recordset(NULL::{_quoted(table.name)}, CAST(:rows AS json)){clash}"
        ),
        {"rows": document(rows)},
    )


def document(rows: Sequence[Row]) -> str:
    """Rows as the JSON that PostgreSQL's `json_populate_recordset` reads."""
    return json.dumps(rows, default=_plain, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    raise TypeError(f"{type(value).__name__} has no form in a row")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
