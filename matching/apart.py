"""An encoder in a process of its own: it goes back to Python between its steps, hundreds of times a text, and would
wait there for whatever else this process computes."""

import ctypes
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from matching.embedding import Embedder, HashingEmbedder, Vectors, load_embedder

Result = TypeVar("Result")

_MANY_TEXTS = 64
_give_back = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
"""What glibc keeps of the memory of a large batch goes back to the system: 50 MB, at 3 ms a time."""

_here: Embedder | None = None
"""In the encoder's process: the encoder."""


def load_apart(spec: str = "") -> Embedder:
    """The embedder of a setting (see `load_embedder`), in a process of its own. Raises EmbeddingError."""
    return load_embedder(spec) if spec == HashingEmbedder.name else EncoderProcess(spec)


class EncoderProcess:
    """An embedder whose work another process does. It ends with this one, however this one ends; where it ends by
    itself, the call fails with a ConnectionError and the next one starts it anew."""

    def __init__(self, spec: str) -> None:
        self._spec = spec
        self._pool: ProcessPoolExecutor | None = None
        self.model, self.dimensions = self._submit(_describe)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder."""
        return self._submit(_embed, list(texts))

    def close(self) -> None:
        """Ends the process."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _submit(self, work: Callable[..., Result], *arguments: Any) -> Result:
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), _begin)
        try:
            return self._pool.submit(work, self._spec, *arguments).result()
        except BrokenProcessPool as error:
            self._pool = None
            raise ConnectionError("the encoder's process has ended (out of memory?); it is started again") from error


def _begin() -> None:
    """Whoever ends the whole group means our parent, which may still need an answer; we end with it."""
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(0)


def _describe(spec: str) -> tuple[str, int]:
    embedder = _loaded(spec)
    return embedder.model, embedder.dimensions


def _embed(spec: str, texts: list[str]) -> Vectors:
    try:
        return _loaded(spec).embed(texts)
    finally:
        if len(texts) >= _MANY_TEXTS and _give_back is not None:
            _give_back(0)


def _loaded(spec: str) -> Embedder:
    global _here
    if _here is None:
        _here = load_embedder(spec)
        gc.collect()
        gc.freeze()
    return _here
