"""The migrations make exactly the tables that the code declares, from nothing, there and back."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect
from sqlmodel import SQLModel

from services.store import tables
from services.store.migrate import configuration, migrate


def differences(url: str) -> list[object]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_server_default": True})
            return list(compare_metadata(context, SQLModel.metadata))
    finally:
        engine.dispose()


def test_the_database_is_what_the_code_declares(empty_database_url: str) -> None:
    assert tables.__all__
    assert differences(empty_database_url), "an empty database lacks everything"
    done = migrate(empty_database_url)
    assert (done.before, done.mended, differences(empty_database_url)) == (None, (), [])
    again = migrate(empty_database_url)
    assert (again.before, again.after, again.mended) == (done.after, done.after, ()), "a second run changes nothing"


def test_every_migration_can_be_taken_back(empty_database_url: str) -> None:
    migrate(empty_database_url)
    command.downgrade(configuration(empty_database_url), "base")
    engine = create_engine(empty_database_url)
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()
    migrate(empty_database_url)
    assert differences(empty_database_url) == []
