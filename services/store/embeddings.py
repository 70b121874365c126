"""Stored embeddings, one per cleaned text and model, so that no text is embedded twice."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import numpy as np
from sqlalchemy import Column, LargeBinary, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field, SQLModel, col

from services.store.bulk_writes import BulkWrites
from services.store.database import in_array_param, table_of
from services.store.pipelined_queries import PipelinedQuery


class Embedding(SQLModel, table=True):
    """The vector of one cleaned text under one model, as little-endian float32. The text hash is the key, so a change
    of dates needs no new embedding."""

    __tablename__ = "embeddings"

    text_hash: str = Field(primary_key=True)
    model: str = Field(primary_key=True)
    vector: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


_KNOWN: Final = text("SELECT text_hash FROM embeddings WHERE text_hash = ANY(:ids) AND model = :model")
_VECTORS: Final = select(Embedding.text_hash, Embedding.vector).where(  # type: ignore[call-overload]
    in_array_param(col(Embedding.text_hash)), col(Embedding.model) == bindparam("model")
)


def known_embeddings(hashes: Iterable[str], model: str) -> PipelinedQuery[set[str]]:
    """Return which of these texts have a stored vector of the model."""
    return PipelinedQuery(_KNOWN, {"ids": list(hashes), "model": model}, lambda found: {row[0] for row in found})


def put(writes: BulkWrites, vectors: Mapping[str, np.ndarray], model: str) -> None:
    """Store new vectors. A vector that another process stored first stays."""
    new = [
        {"text_hash": key, "model": model, "vector": vector.astype("<f4").tobytes()}
        for key, vector in sorted(vectors.items())
    ]
    writes.insert(table_of(Embedding), new, key="text_hash, model")


async def vectors_of(session: AsyncSession, hashes: Iterable[str], model: str) -> dict[str, np.ndarray]:
    """Return the vectors of these texts: float32 arrays by text hash."""
    found = await session.execute(_VECTORS, {"ids": list(hashes), "model": model})
    return {text_hash: np.frombuffer(vector, dtype="<f4") for text_hash, vector in found}


async def dimensions(session: AsyncSession, model: str) -> int | None:
    """Return the dimension of the model's stored vectors, None if there are none."""
    query = select(func.length(col(Embedding.vector))).where(col(Embedding.model) == model).limit(1)
    octets: int | None = (await session.execute(query)).scalar_one_or_none()
    return None if octets is None else octets // np.dtype(np.float32).itemsize


_REMOVE: Final = text(
    "WITH these AS (SELECT text_hash, model FROM embeddings WHERE text_hash = ANY(:hashes)"
    " ORDER BY text_hash, model FOR UPDATE)"
    " DELETE FROM embeddings e USING these WHERE (e.text_hash, e.model) = (these.text_hash, these.model)"
)


async def remove(session: AsyncSession, hashes: Collection[str]) -> None:
    """Delete the vectors of these texts, under every model."""
    await session.execute(_REMOVE, {"hashes": list(hashes)})
