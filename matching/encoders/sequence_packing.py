"""Sequence packing: the encoder packs short texts into one sequence instead of padding them to the longest. Each run of
the model costs as much as thirty tokens up front, a quarter of the cost of the texts of one or two plans."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from torch.nn.functional import normalize

from matching.embedding import Vectors

# Attention between packed texts is masked but computed all the same; its cost grows with the square of this.
_TOKENS_OF_A_RUN = 256
# Float32 sums in another order differ by less; another pooling or other positions by far more.
_TOLERANCE = 1e-5
_PROBES = ("Payroll", "A new system for payroll and human resources", "grounds maintenance, parks and verges", "")


class PackedModel:
    """A model with mean pooling and positions from 0, as BERT and its descendants have."""

    def __init__(self, model: SentenceTransformer) -> None:
        self._model = model
        self._transformer: Any = model[0].model

    @torch.inference_mode()
    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return one L2-normalised float32 row per text, shape (n, dimensions), in the order given."""
        cut = self._model.tokenizer(list(texts), truncation=True, max_length=self._model.max_seq_length)
        ids: list[list[int]] = cut["input_ids"]
        return np.concatenate([self._run([ids[row] for row in rows]) for rows in runs([len(each) for each in ids])])

    def _run(self, texts: Sequence[list[int]]) -> Vectors:
        lengths = torch.tensor([len(ids) for ids in texts])
        whose = torch.repeat_interleave(torch.arange(len(texts)), lengths)
        states = self._transformer(
            input_ids=torch.tensor([[token for ids in texts for token in ids]]),
            position_ids=torch.tensor([[position for ids in texts for position in range(len(ids))]]),
            attention_mask=(whose[:, None] == whose[None, :])[None, None],
        ).last_hidden_state[0]
        # The mean of a text's tokens up to a factor, which normalisation cancels.
        sums = torch.zeros(len(texts), states.shape[1]).index_add_(0, whose, states)
        vectors: Vectors = normalize(sums).numpy()
        return vectors


def runs(lengths: Sequence[int]) -> Iterator[range]:
    """Return the positions of texts of these lengths (tokens), in order, in runs of at most 256 tokens; a longer text
    is a run of its own."""
    first, tokens = 0, 0
    for position, length in enumerate(lengths):
        if position > first and tokens + length > _TOKENS_OF_A_RUN:
            yield range(first, position)
            first, tokens = position, 0
        tokens += length
    if lengths:
        yield range(first, len(lengths))


def pack(model: SentenceTransformer) -> PackedModel | None:
    """Wrap a model for packed sequences; return None if its vectors differ from those of sentence-transformers for the
    same texts."""
    expected = model.encode(list(_PROBES), normalize_embeddings=True, show_progress_bar=False)
    try:
        packed = PackedModel(model)
        found = packed.embed(_PROBES)
    except (AttributeError, RuntimeError, TypeError, ValueError, IndexError):
        return None
    near = found.shape == expected.shape and float(np.abs(found - expected).max()) <= _TOLERANCE
    return packed if near else None
