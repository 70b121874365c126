"""A context of the database's own generation, for reading plans whose vectors are stored. It needs no model."""

from collections.abc import Callable, Sequence

import numpy as np
from sqlalchemy.ext.asyncio import AsyncSession

from matching.corpus_statistics import Statistics
from matching.engine import Engine
from matching.policy import Policy
from services.matcher.context import MatcherContext
from services.platform.settings import Settings
from services.store import embeddings, generation
from services.store.generation import GenerationRow

EmbedMissing = Callable[[str, Sequence[str]], np.ndarray]
"""Given the model's name and the texts."""


class StoredVectors:
    """Replaces the encoder. The texts' vectors are stored; only a missing one calls `embed_missing`."""

    def __init__(self, model: str, dimensions: int, embed_missing: EmbedMissing) -> None:
        self.model = model
        self.dimensions = dimensions
        self._embed_missing = embed_missing

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """See Embedder."""
        return self._embed_missing(self.model, texts)


async def load_stored_context(
    session: AsyncSession, settings: Settings, embed_missing: EmbedMissing
) -> tuple[MatcherContext, GenerationRow] | None:
    """Load the settings' policy and statistics with the database's model, and return the database's generation.

    None if the database has no plans yet.
    """
    current = await generation.read(session)
    if current is None:
        return None
    engine = Engine.load(
        policy=Policy.load(settings.policy_file),
        statistics=Statistics.load(settings.statistics_file),
        model=current.model,
    )
    dimensions = await embeddings.dimensions(session, current.model) or 1
    return MatcherContext(engine, StoredVectors(current.model, dimensions, embed_missing), settings), current
