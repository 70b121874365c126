"""`python -m tests.chaos.real_model --seed N ...`: a run of the suite with the model as shipped, not its stand-in.

All options are those of `python -m tests.chaos`. Processes take longer to come back, since each loads the model.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matching.embedding import Embedder
from matching.encoders.loading import load_embedder
from tests import pipeline
from tests.chaos import __main__ as command
from tests.chaos import run
from tests.chaos.cluster import Arena, arena

BUNDLED = ""


@contextmanager
def arena_with_model(folder: Path, *, quick: bool) -> Iterator[Arena]:
    """The usual arena, whose matchers load the bundled model."""
    with arena(folder, quick=quick) as made:
        made.environment["JOINTLY_EMBEDDING_MODEL"] = BUNDLED
        yield made


def bundled(_: str) -> Embedder:
    """The bundled model, whichever the oracle asks for: it has to decide as the matchers do."""
    return load_embedder(BUNDLED)


if __name__ == "__main__":
    pipeline.load_embedder = bundled
    run.arena = arena_with_model
    sys.exit(command.main())
