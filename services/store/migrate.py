"""Migrate a database to this version's tables. Repeatable."""

from dataclasses import dataclass
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, text

from services.store import advisory_locks, schema
from services.store.database import CONNECT_SECONDS
from services.store.schema import MIGRATIONS, SchemaError, SchemaState

MIN_SERVER: Final = 150000


@dataclass(frozen=True, slots=True)
class Migration:
    """The result of a migration: revisions before and after, objects restored (functions, triggers, indexes), and
    state."""

    before: str | None
    after: str
    mended: tuple[str, ...]
    schema: schema.Schema


def migrate(url: str) -> Migration:
    """Apply every missing migration, under a lock, and restore functions, triggers and indexes that a restore lost.

    A database that a newer version migrated stays as it is if it has everything this version needs, so that operators
    can roll back. Raises SchemaError if it has not, or if tables or columns are missing.
    """
    engine = create_engine(url, connect_args={"connect_timeout": CONNECT_SECONDS})
    try:
        with engine.connect() as connection:
            # A concurrent migration waits here, and then finds nothing to do.
            connection.execute(text(f"SELECT pg_advisory_lock({advisory_locks.MIGRATE})"))
            connection.commit()
            try:
                return _migrate(connection, url)
            finally:
                connection.rollback()
                connection.execute(text(f"SELECT pg_advisory_unlock({advisory_locks.MIGRATE})"))
                connection.commit()
    finally:
        engine.dispose()


def _migrate(connection: Connection, url: str) -> Migration:
    before = schema.inspect_connection(connection)
    if before.state in (SchemaState.UNKNOWN, SchemaState.OBSOLETE):
        raise SchemaError(before.sentence)
    if before.state is not SchemaState.NEWER:
        _check_server(connection)
        command.upgrade(configuration(url), "head")
    after = schema.inspect_connection(connection)
    if not after.mendable:
        # An index on a missing column would fail with words of SQL.
        raise SchemaError(after.sentence)
    mended = schema.mend(connection, after)
    connection.commit()
    if mended:
        after = schema.inspect_connection(connection)
    if not after.usable or after.revision is None:
        raise SchemaError(after.sentence)
    return Migration(before.revision, after.revision, mended, after)


def _check_server(connection: Connection) -> None:
    number = connection.execute(text("SELECT current_setting('server_version_num')::integer")).scalar_one()
    if number < MIN_SERVER:
        raise SchemaError(f"the server is PostgreSQL {number // 10000}; Jointly needs 15 or newer")


def configuration(url: str) -> Config:
    """Build Alembic's configuration, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config
