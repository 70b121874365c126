"""The vectors of frameworks' texts, stored once, so that checking a plan against frameworks needs no model."""

from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from matching.frameworks import FrameworkLot
from services.matcher.context import MatcherContext
from services.store import embeddings, frameworks
from services.store.bulk_writes import BulkWrites
from services.store.database import Sessions, transaction
from services.store.framework_index import lot_texts
from services.store.pipelined_queries import execute_pipelined, fetch


async def lot_vectors(
    session: AsyncSession, context: MatcherContext, lots: Sequence[FrameworkLot]
) -> Mapping[str, np.ndarray]:
    """The vectors of these lots' texts, by text hash: read from the database, or embedded now."""
    texts = lot_texts(context.engine, lots)
    known = await embeddings.vectors_of(session, texts, context.embedder.model)
    missing = texts.keys() - known.keys()
    return known | (await context.features.embed(texts[key] for key in missing) if missing else {})


async def put_vectors(session: AsyncSession, context: MatcherContext, vectors: Mapping[str, np.ndarray]) -> None:
    """Store vectors of lots' texts."""
    writes = BulkWrites()
    embeddings.put(writes, vectors, context.embedder.model)
    await execute_pipelined(session, *writes.queries)


async def embed_frameworks(context: MatcherContext, sessions: Sessions) -> None:
    """Embed and store missing vectors: of frameworks imported before the first plan, or under another model."""
    async with sessions() as session:
        lots = await frameworks.all_lots(session)
        texts = lot_texts(context.engine, lots)
        known = await fetch(session, embeddings.known_embeddings(texts, context.embedder.model)) if texts else set()
    missing = texts.keys() - known
    if not missing:
        return
    vectors = await context.features.embed(texts[key] for key in missing)
    async with transaction(sessions) as session:
        await put_vectors(session, context, vectors)
        # Processes that cache the frameworks read them again.
        await frameworks.touch(session)
