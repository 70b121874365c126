"""The interface of encoders, which turn texts into vectors. The engine never embeds: callers do, and store vectors."""

import hashlib
import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

DIMENSIONS = 384


class EmbeddingError(Exception):
    """The requested model cannot be used; the message says why and what to do."""


class UnknownModelError(EmbeddingError):
    """The model is neither a known name nor a folder that holds a model."""


class ChecksumError(EmbeddingError):
    """The weights differ from the pinned ones."""


class Embedder(Protocol):
    """Turns texts into unit vectors. `model` names the weights and the engine: vectors of two models never mix."""

    @property
    def model(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one L2-normalised float32 row per text, shape (n, dimensions), in the order given."""
        ...


class HashingEmbedder:
    """A substitute without weights, for tests and chaos runs. It hashes words and letter triples to dimensions, so
    texts
    with common words are near each other. It knows no synonyms."""

    name = "hashing"
    model = "hashing-384/1"
    dimensions = DIMENSIONS

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder. The same text gives the same vector on every machine."""
        return np.stack([_hashed(text) for text in texts]) if texts else np.zeros((0, DIMENSIONS), dtype=np.float32)


def _hashed(text: str) -> Vectors:
    vector = np.zeros(DIMENSIONS, dtype=np.float32)
    for word in re.findall(r"\w+", text.lower()) or [""]:
        pieces = [(word, 1.0)] + [(word[i : i + 3], 0.3) for i in range(len(word) - 2)]
        for piece, weight in pieces:
            digest = hashlib.blake2b(piece.encode(), digest_size=8).digest()
            sign = 1.0 if digest[7] & 1 else -1.0
            vector[int.from_bytes(digest[:4], "little") % DIMENSIONS] += sign * weight
    length = float(np.linalg.norm(vector))
    if length == 0.0:
        vector[0] = length = 1.0
    return vector / np.float32(length)
