"""The encoder's process: the same vectors, the same errors, and it lives as long as whoever started it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import SpawnProcess
from pathlib import Path

import numpy as np
import pytest

from matching.embedding import HashingEmbedder, UnknownModelError
from matching.encoders.loading import load_embedder
from matching.encoders.worker_process import EncoderProcess, load_in_subprocess

PATIENCE_SECONDS = 60.0
TEXTS = ["Payroll system", "Grass cutting in parks and cemeteries", ""]


@pytest.fixture
def apart() -> Iterator[EncoderProcess]:
    encoder = EncoderProcess(HashingEmbedder.name)
    yield encoder
    encoder.close()


def process_of(encoder: EncoderProcess) -> int:
    assert encoder._process is not None
    assert encoder._process.pid is not None
    return encoder._process.pid


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_it_gives_what_the_encoder_gives(apart: EncoderProcess) -> None:
    here = load_embedder(HashingEmbedder.name)
    assert (apart.model, apart.dimensions) == (here.model, here.dimensions)
    assert np.array_equal(apart.embed(TEXTS), here.embed(TEXTS))
    assert process_of(apart) != os.getpid()


def test_only_an_encoder_that_would_wait_gets_a_process() -> None:
    assert isinstance(load_in_subprocess(HashingEmbedder.name), HashingEmbedder)


def test_what_is_wrong_with_a_model_is_said_here() -> None:
    with pytest.raises(UnknownModelError, match="neither 'all-MiniLM-L6-v2'"):
        load_in_subprocess("no-such-model")


def test_the_call_after_a_killed_encoder_fails_as_transient(apart: EncoderProcess) -> None:
    expected = apart.embed(TEXTS)
    first = process_of(apart)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(ConnectionError, match="the encoder's process has ended"):
        apart.embed(TEXTS)
    assert np.array_equal(apart.embed(TEXTS), expected)
    assert process_of(apart) != first


def test_the_encoder_ignores_a_signal_to_the_whole_group(apart: EncoderProcess) -> None:
    for ending in (signal.SIGINT, signal.SIGTERM):
        os.kill(process_of(apart), ending)
    assert apart.embed(TEXTS).shape == (3, apart.dimensions)


def test_an_error_of_one_call_is_raised_here_and_the_next_works(apart: EncoderProcess) -> None:
    with pytest.raises(AttributeError, match="lower"):
        apart.embed([1])  # type: ignore[list-item]
    assert apart.embed(TEXTS).shape == (3, apart.dimensions)


def test_a_process_that_could_not_start_is_started_later(
    apart: EncoderProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: SpawnProcess) -> None:
        raise BlockingIOError("no more processes")

    apart.close()
    with monkeypatch.context() as full:
        full.setattr(SpawnProcess, "start", start)
        for _ in range(2):
            with pytest.raises(ConnectionError, match="it is started again"):
                apart.embed(TEXTS)
    assert apart.embed(TEXTS).shape == (3, apart.dimensions)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_ends_when_whoever_started_it_is_killed() -> None:
    code = (
        "import time\nfrom matching.encoders.worker_process import EncoderProcess\n"
        "if __name__ == '__main__':\n"
        "    encoder = EncoderProcess('hashing')\n"
        "    print(encoder._process.pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert is_running(child)
        parent.kill()
        parent.wait()
    until(lambda: not is_running(child))
