"""The database's secret for keyed ids: one row, which the migration creates and nobody changes.

Each use reads it anew. A process that kept it would go on with a wrong key after a restore behind its address.
"""

from typing import Final

from sqlalchemy import Column, LargeBinary, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel

from services.domain.ids import IdKey
from services.platform import retry
from services.store.pipelined_queries import PipelinedQuery, Rows, fetch


class IdKeyRow(SQLModel, table=True):
    """The one row. With another secret the same pairs would get other ids."""

    __tablename__ = "id_key"

    only: bool = Field(default=True, primary_key=True)
    secret: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class IdKeyMissingError(retry.HaltConsumerError):
    """The database has no key for ids: its table was emptied by hand."""


_KEY: Final = text("SELECT secret FROM id_key")


def query() -> PipelinedQuery[IdKey]:
    """Query the key. Reading the result raises IdKeyMissingError if there is none."""
    return PipelinedQuery(_KEY, {}, _read)


async def load(session: AsyncSession) -> IdKey:
    """Return the key. Raises IdKeyMissingError."""
    return await fetch(session, query())


def _read(found: Rows) -> IdKey:
    if not found:
        raise IdKeyMissingError("the database has lost the key of its ids: restore the table id_key from a backup")
    return IdKey(found[0][0])
