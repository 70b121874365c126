"""Embedders: the stand-in is deterministic, wrong settings say what to do, and the engine starts light."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from matching.embedding import (
    ChecksumError,
    HashingEmbedder,
    SentenceTransformerEmbedder,
    UnknownModelError,
    load_embedder,
)


def test_the_stand_in_is_deterministic_and_lexical() -> None:
    embedder = load_embedder("hashing")
    payroll, wages, grass = embedder.embed(["payroll system", "payroll systems", "grass cutting"])
    assert np.array_equal(payroll, HashingEmbedder().embed(["payroll system"])[0])
    assert payroll.dtype == np.float32
    assert payroll.shape == (embedder.dimensions,)
    assert np.linalg.norm(payroll) == pytest.approx(1)
    assert payroll @ wages > 0.5 > payroll @ grass
    assert embedder.embed([]).shape == (0, embedder.dimensions)
    assert np.linalg.norm(embedder.embed([""])[0]) == pytest.approx(1)


def test_an_unknown_model_says_what_may_be_given() -> None:
    with pytest.raises(UnknownModelError, match="neither 'all-MiniLM-L6-v2', 'hashing' nor a folder"):
        load_embedder("no-such-model")


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="holds no model"):
        load_embedder(str(tmp_path))


def test_other_weights_than_the_pinned_ones_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"changed")
    with pytest.raises(ChecksumError, match="is pinned"):
        SentenceTransformerEmbedder(tmp_path, name="x", expected_sha256="0" * 64)


def test_importing_the_engine_loads_no_model_library() -> None:
    script = "import sys, matching.engine; print({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.model
def test_the_pinned_model_knows_synonyms() -> None:
    embedder = load_embedder()
    assert embedder.model == "all-MiniLM-L6-v2/53aa51172d14/sentence-transformers"
    texts = ["staff wages software", "payroll system", "grass cutting"]
    wages, payroll, grass = embedder.embed(texts)
    assert embedder.dimensions == len(wages) == 384
    assert wages @ payroll > wages @ grass + 0.2
    assert embedder.embed(texts[::-1])[2] == pytest.approx(wages, abs=1e-5)
