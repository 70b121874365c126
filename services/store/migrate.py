"""Brings a database to the tables this version needs; does nothing where it has them already."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text

from services.store import locks

MIGRATIONS = Path(__file__).resolve().parents[2] / "deploy" / "migrations"


def migrate(url: str) -> tuple[str | None, str]:
    """Applies every migration the database lacks, under a lock. The revisions before and after."""
    config = configuration(url)
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            # Two migrating at once: the second waits here, and then finds nothing to do.
            connection.execute(text(f"SELECT pg_advisory_lock({locks.MIGRATE})"))
            before = MigrationContext.configure(connection).get_current_revision()
            connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
            connection.commit()
            command.upgrade(config, "head")
            connection.execute(text(f"SELECT pg_advisory_unlock({locks.MIGRATE})"))
            connection.commit()
    finally:
        engine.dispose()
    after = ScriptDirectory.from_config(config).get_current_head()
    assert after is not None
    return before, after


def configuration(url: str) -> Config:
    """Alembic's configuration, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config
