"""The faster encoder: what is refused and why, and that what is made from the pinned weights gives their vectors."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matching.embedding import ChecksumError, Embedder, UnknownModelError
from matching.encoders import openvino
from matching.encoders.agreement_texts import probe_texts
from matching.encoders.loading import load_embedder
from matching.encoders.openvino import AgreementError, row_cosines
from matching.encoders.sentence_transformer import pinned_weights
from matching.text.cpv_profile import load_cpv_groups
from tests.unit.matching.notices import TEXTS

fast = pytest.mark.skipif(find_spec("openvino") is None, reason="the extra `fast` is not installed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a manifest that fits its files, which are no network."""
    for name in (openvino.MODEL, openvino.WEIGHTS, openvino.TOKENIZER, openvino.PROBES):
        (tmp_path / name).write_bytes(name.encode())
    write(
        tmp_path,
        {
            "format": openvino.FORMAT,
            "engine": openvino.ENGINE,
            "source": {"name": "all-MiniLM-L6-v2", "sha256": pinned_weights()[1]},
            "dimensions": 384,
            "tokens": 256,
            "agreement": {"mean_cosine": 0.996},
            "files": {file.name: openvino.file_sha256(file) for file in tmp_path.iterdir()},
        },
    )
    return tmp_path


def write(folder: Path, manifest: dict[str, Any]) -> None:
    (folder / openvino.MANIFEST).write_text(json.dumps(manifest))


def changed(folder: Path, **fields: Any) -> None:
    write(folder, {**openvino.read_manifest(folder), **fields})


def test_an_encoder_of_other_weights_is_refused(folder: Path) -> None:
    changed(folder, source={"name": "all-MiniLM-L6-v2", "sha256": "0" * 64})
    with pytest.raises(ChecksumError, match=r"was made from weights with sha256 0+, but 53aa51172d14.* is pinned"):
        load_embedder(str(folder))


@pytest.mark.parametrize("name", [openvino.MODEL, openvino.WEIGHTS, openvino.TOKENIZER, openvino.PROBES])
def test_a_file_that_is_not_the_manifests_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"other")
    with pytest.raises(ChecksumError, match=f"{name} has sha256 .*, but its manifest says"):
        load_embedder(str(folder))
    (folder / name).unlink()
    with pytest.raises(UnknownModelError, match=f"{name} is missing"):
        load_embedder(str(folder))


@pytest.mark.parametrize("mean", [0.98, float("nan")])
def test_an_encoder_that_says_it_does_not_agree_is_refused(folder: Path, mean: float) -> None:
    changed(folder, agreement={"mean_cosine": mean})
    with pytest.raises(AgreementError, match=r"only, and 0\.99 is the least"):
        load_embedder(str(folder))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "jointly-encoder/2"}'])
def test_a_manifest_that_is_none_is_refused(folder: Path, content: str) -> None:
    (folder / openvino.MANIFEST).write_text(content)
    with pytest.raises(UnknownModelError, match="manifest"):
        load_embedder(str(folder))
    write(folder, {"format": "jointly-encoder/1"})
    with pytest.raises(UnknownModelError, match="manifest"):
        load_embedder(str(folder))


def test_without_openvino_the_message_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UnknownModelError, match="install the extra `fast`"):
        load_embedder(str(folder))


@fast
def test_the_library_reports_to_nobody() -> None:
    """It sends usage reports on import unless the module that does so is out of reach."""
    script = (
        "import sys; from matching.encoders.openvino import openvino; openvino();"
        "print(sorted(name for name, module in sys.modules.items() if 'openvino_telemetry' in name and module))"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_probes_are_of_every_length_and_the_same_each_time() -> None:
    assert probe_texts(300)[:100] == probe_texts(100)
    lengths = [len(text.split()) for text in probe_texts(64)]
    assert min(lengths) <= 3
    assert max(lengths) > 150


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder by the command."""
    to = tmp_path_factory.mktemp("encoder") / "made"
    command = [sys.executable, "-m", "services.cli", "encoder", "export", "--to", str(to)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "is there already" in again.stderr
    return to


@pytest.fixture(scope="module")
def encoder(made: Path) -> Embedder:
    return load_embedder(str(made))


@fast
@pytest.mark.slow
@pytest.mark.model
def test_it_agrees_with_the_reference(encoder: Embedder) -> None:
    near = row_cosines(encoder.embed(TEXTS), load_embedder().embed(TEXTS))
    assert near.mean() >= 0.9999
    assert near.min() >= 0.999
    assert np.abs(np.linalg.norm(encoder.embed(TEXTS), axis=1) - 1).max() < 1e-5


@fast
@pytest.mark.slow
@pytest.mark.model
def test_a_vector_hardly_depends_on_the_texts_beside_it(encoder: Embedder) -> None:
    together = encoder.embed(TEXTS)
    alone = np.concatenate([encoder.embed([text]) for text in TEXTS])
    assert row_cosines(together, alone).min() > 0.9999
    assert np.array_equal(encoder.embed(TEXTS), together)
    assert encoder.embed([]).shape == (0, 384)


@fast
@pytest.mark.slow
@pytest.mark.model
def test_it_is_a_model_of_its_own_with_the_references_groups(encoder: Embedder) -> None:
    reference = "all-MiniLM-L6-v2/53aa51172d14"
    assert encoder.model.startswith(f"{reference}/openvino-bf16-")
    assert encoder.model != f"{reference}/sentence-transformers"
    assert (
        len(load_cpv_groups(encoder.model).codes)
        == len(load_cpv_groups(f"{reference}/sentence-transformers").codes)
        > 200
    )
    assert not load_cpv_groups("all-MiniLM-L6-v2/000000000000/sentence-transformers").codes


@fast
@pytest.mark.slow
@pytest.mark.model
def test_vectors_that_are_far_off_on_this_machine_are_refused(made: Path, tmp_path: Path) -> None:
    for file in made.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with np.load(made / openvino.PROBES) as probes:
        np.savez(tmp_path / openvino.PROBES, texts=probes["texts"][::-1], vectors=probes["vectors"])
    manifest = openvino.read_manifest(tmp_path)
    files = {**manifest["files"], openvino.PROBES: openvino.file_sha256(tmp_path / openvino.PROBES)}
    changed(tmp_path, files=files)
    with pytest.raises(AgreementError, match="on this machine"):
        load_embedder(str(tmp_path))
