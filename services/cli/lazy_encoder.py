"""The encoder, loaded only where a vector is missing in the database: most commands need none."""

from collections.abc import Sequence
from functools import cache

import numpy as np

from matching.embedding import Embedder, EmbeddingError
from matching.encoders.loading import load_embedder
from services.platform.settings import settings


def embed_missing(model: str, texts: Sequence[str]) -> np.ndarray:
    """The vectors of texts under the database's model. Raises EmbeddingError if the settings name another one."""
    loaded = encoder()
    if loaded.model != model:
        raise EmbeddingError(
            f"the vectors of {len(texts)} texts are missing, and the database's model {model} is not the one that "
            f"JOINTLY_EMBEDDING_MODEL names ({loaded.model}): name the database's model"
        )
    return loaded.embed(texts)


@cache
def encoder() -> Embedder:
    """The settings' encoder."""
    return load_embedder(settings().embedding_model)
