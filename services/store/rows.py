"""Many rows in one statement: they go as one JSON document, which the table's own row type reads.

However many rows there are, it is one round trip and one plan; the columns' types convert what JSON can't hold.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import to_json
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
    return to_json([{name: _plain(value) for name, value in row.items()} for row in rows]).decode()


def vector(values: NDArray[np.float32], digits: int = 9) -> str:
    """A vector as pgvector reads it; nine digits give back every float32 to the last bit."""
    return "[" + ",".join([f"{value:.{digits}g}" for value in values.tolist()]) + "]"


def _plain(value: Any) -> Any:
    return "\\x" + value.hex() if isinstance(value, bytes) else value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
