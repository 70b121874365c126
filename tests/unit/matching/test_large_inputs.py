"""Where we replace what a library does, or stand between two processes, 50 MB go through as little things do."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from matching.embedding import HashingEmbedder
from matching.encoders.loading import load_embedder
from matching.encoders.worker_process import EncoderProcess

LARGE = 50 * 1024 * 1024
EVENT = 1024 * 1024
"""The largest value of a plan event, in bytes."""


@pytest.fixture
def apart() -> Iterator[EncoderProcess]:
    encoder = EncoderProcess(HashingEmbedder.name)
    yield encoder
    encoder.close()


def test_50_mb_of_texts_reach_the_encoders_process(apart: EncoderProcess) -> None:
    made: list[np.ndarray] = []
    # Blank words: the stand-in hashes none, so that the pipe is what is tried.
    for texts in ([" " * EVENT] * (LARGE // EVENT), [""] * (LARGE // (4 * apart.dimensions))):
        asking = threading.Thread(target=lambda given=texts: made.append(apart.embed(given)), daemon=True)
        asking.start()
        asking.join(timeout=120)
    assert [len(vectors) for vectors in made] == [50, LARGE // (4 * apart.dimensions)]
    assert all((vectors == made[0][0]).all() for vectors in made)


def test_50_mb_go_through_a_onednn_layer_as_through_pytorchs() -> None:
    import torch

    from matching.encoders.onednn import OneDnnLinear

    linear = torch.nn.Linear(384, 384)
    rows = torch.linspace(-1.0, 1.0, LARGE // 4 // 384 * 384).reshape(-1, 384).sin()
    with torch.inference_mode():
        difference = (OneDnnLinear(linear)(rows) - linear(rows)).abs().max()
    assert float(difference) < 1e-4


@pytest.mark.slow
def test_the_longest_text_is_cut_as_the_library_cuts_it() -> None:
    """50 MB never come as one text: an event has 1 MiB at most. The model reads 256 tokens of it."""
    encoder = load_embedder()
    words = "grounds maintenance of parks and verges "
    (long, short) = encoder.embed([words * (EVENT // len(words)), words * 256])
    assert np.abs(long - short).max() < 1e-5
