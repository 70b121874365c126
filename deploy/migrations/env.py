"""Alembic's way in: the tables are those of `services.store`, the database the one it is told."""

from alembic import context
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from services.store import tables  # noqa: F401 (declares every table)

url = context.config.get_main_option("sqlalchemy.url")
assert url is not None
engine = create_engine(url)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=SQLModel.metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
engine.dispose()
