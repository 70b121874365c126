"""An encoder in a process of its own. It returns to Python hundreds of times per text, and in the matcher's process it
would wait for the interpreter lock each time."""

import atexit
import ctypes
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from matching.embedding import Embedder, HashingEmbedder, Vectors
from matching.encoders.loading import load_embedder

_MANY_TEXTS = 64
_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
"""Makes glibc return the memory of a large batch to the system: 50 MB, at a cost of 3 ms each."""


def load_in_subprocess(spec: str = "") -> Embedder:
    """Load the embedder of a setting (see `load_embedder`) in a process of its own. Raises EmbeddingError."""
    return load_embedder(spec) if spec == HashingEmbedder.name else EncoderProcess(spec)


class EncoderProcess:
    """An embedder that runs in another process. The other process always ends with this one. If it ends alone, the call
    fails with a ConnectionError, and the next call restarts it."""

    def __init__(self, spec: str) -> None:
        self._spec = spec
        self._turn = threading.Lock()
        self._process: SpawnProcess | None = None
        atexit.register(self.close)
        self.model, self.dimensions = self._request(None)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder."""
        vectors: Vectors = self._request(list(texts))
        return vectors

    def close(self) -> None:
        """End the process after its current answer."""
        with self._turn:
            self._terminate()

    def _request(self, texts: list[str] | None) -> Any:
        # A direct pipe: a pool's three threads cost a millisecond for each call with a few plans.
        with self._turn:
            try:
                if self._process is None:
                    self._start()
                self._pipe.send(texts)
                answer = self._pipe.recv()
            except (EOFError, OSError) as error:
                self._terminate()
                raise ConnectionError(
                    "the encoder's process has ended (out of memory?); it is started again"
                ) from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        process = spawn.Process(target=_serve, args=(self._spec, theirs), name="encoder")
        process.start()
        # Only now: a process that failed to start can't be ended either.
        self._process = process
        theirs.close()

    def _terminate(self) -> None:
        if self._process is not None:
            self._pipe.close()
            self._process.join()
            self._process = None


def _serve(spec: str, pipe: Connection) -> None:
    """Answer requests until the pipe closes. A request without texts asks for the encoder's description."""
    # Ignore signals to the whole group: they are for the parent, which may still need an answer; we end with it.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)
    embedder: Embedder | None = None
    answer: Any
    try:
        while True:
            texts: list[str] | None = pipe.recv()
            try:
                embedder = embedder or _loaded(spec)
                answer = (embedder.model, embedder.dimensions) if texts is None else _embedded(embedder, texts)
            except Exception as error:
                answer = error
            pipe.send(answer)
    except (EOFError, OSError):
        return


def _loaded(spec: str) -> Embedder:
    embedder = load_embedder(spec)
    gc.collect()
    gc.freeze()
    return embedder


def _embedded(embedder: Embedder, texts: list[str]) -> Vectors:
    try:
        return embedder.embed(texts)
    finally:
        if len(texts) >= _MANY_TEXTS and _malloc_trim is not None:
            _malloc_trim(0)
