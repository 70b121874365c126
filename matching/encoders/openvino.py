"""The optional faster encoder: the default model's weights on OpenVINO in bfloat16, from a folder made by `jointly
encoder export`. It needs the extra `fast`, and no PyTorch."""

import hashlib
import importlib
import json
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from matching.embedding import ChecksumError, EmbeddingError, UnknownModelError, Vectors
from matching.encoders.length_buckets import length_buckets

MANIFEST: Final = "jointly-encoder.json"
FORMAT: Final = "jointly-encoder/1"
ENGINE: Final = "openvino-bf16"
MODEL, WEIGHTS, TOKENIZER, PROBES = "model.xml", "model.bin", "tokenizer.json", "probes.npz"
MIN_COSINE: Final = 0.99


class AgreementError(EmbeddingError):
    """The encoder's vectors differ too much from those of its source model."""


def openvino() -> Any:
    """Import the library with its telemetry switched off, which would otherwise be sent on import.

    Raises UnknownModelError if it is not installed.
    """
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        return importlib.import_module("openvino")
    except ImportError as error:
        raise UnknownModelError(
            "an exported encoder runs on OpenVINO, which is not installed: install the extra `fast` (openvino), "
            "or leave the setting empty for the default model"
        ) from error


def file_sha256(file: Path) -> str:
    """Return a file's sha256. Raises UnknownModelError if it can't be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise UnknownModelError(
            f"{file} is missing or can't be read: make the encoder again with `jointly encoder export`"
        ) from error


def row_cosines(some: Vectors, others: Vectors) -> Vectors:
    """Compute the cosine of each row, (n, d) and (n, d) to (n,)."""
    lengths = np.linalg.norm(some, axis=1) * np.linalg.norm(others, axis=1)
    return np.asarray((some * others).sum(axis=1) / np.maximum(lengths, 1e-12), dtype=np.float32)


class OpenVinoEmbedder:
    """An exported encoder. Its version names the source weights and the exported files, so that its vectors never mix
    with the reference's."""

    def __init__(self, folder: Path, *, pinned_sha256: str) -> None:
        """Raise ChecksumError, AgreementError or UnknownModelError if the folder differs from its manifest, was made
        from other weights than the pinned ones, or computes other vectors on this machine."""
        manifest = read_manifest(folder)
        _check_files(folder, manifest, pinned_sha256)
        source, files = manifest["source"], manifest["files"]
        content = hashlib.sha256("".join(files[name] for name in (MODEL, WEIGHTS, TOKENIZER)).encode()).hexdigest()
        self.model = f"{source['name']}/{source['sha256'][:12]}/{ENGINE}-{content[:12]}"
        self.dimensions = int(manifest["dimensions"])
        self._network = compile_network(folder / MODEL)
        self._tokens = tokenizer(folder / TOKENIZER, int(manifest["tokens"]))
        # A network has one input buffer, and the matcher embeds in several threads.
        self._turn = threading.Lock()
        self._check_agreement(folder)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder. In another batch a vector differs by the rounding of bfloat16 (cosine above .9999)."""
        out = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        ids = [encoding.ids for encoding in self._tokens.encode_batch(list(texts))]
        with self._turn:
            for rows in length_buckets([len(each) for each in ids]):
                out[rows] = self._network(pad_batch([ids[row] for row in rows]))[0]
        return out

    def _check_agreement(self, folder: Path) -> None:
        with np.load(folder / PROBES, allow_pickle=False) as probes:
            texts, expected = [str(text) for text in probes["texts"]], probes["vectors"]
        mean = float(row_cosines(self.embed(texts), expected).mean())
        if mean < MIN_COSINE:
            raise AgreementError(
                f"the encoder in {folder} agrees with its model to {mean:.3f} only on this machine, and {MIN_COSINE} "
                "is the least: export it here (`jointly encoder export`), or leave the setting empty for the default"
            )


def read_manifest(folder: Path) -> Mapping[str, Any]:
    """Read the manifest of an exported encoder. Raises UnknownModelError if it is unreadable."""
    file = folder / MANIFEST
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        complete = (
            found["format"] == FORMAT
            and found["engine"] == ENGINE
            and {MODEL, WEIGHTS, TOKENIZER, PROBES} == set(found["files"])
            and all(type(found[key]) is int for key in ("dimensions", "tokens"))
            and type(found["agreement"]["mean_cosine"]) is float
            and all(type(found["source"][key]) is str for key in ("name", "sha256"))
        )
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UnknownModelError(f"{file} can't be read as a manifest: {type(error).__name__} {error}") from error
    if not complete:
        raise UnknownModelError(f"{file} is not a manifest of {FORMAT} for {ENGINE}: export the encoder again")
    return dict(found)


def _check_files(folder: Path, manifest: Mapping[str, Any], pinned_sha256: str) -> None:
    source = manifest["source"]
    if source["sha256"] != pinned_sha256:
        raise ChecksumError(
            f"the encoder in {folder} was made from weights with sha256 {source['sha256']}, but {pinned_sha256} is "
            "pinned: make it again with `jointly encoder export`"
        )
    for name, expected in manifest["files"].items():
        found = file_sha256(folder / name)
        if found != expected:
            raise ChecksumError(
                f"{folder / name} has sha256 {found}, but its manifest says {expected}: copy the folder again, or make "
                "it again with `jointly encoder export`"
            )
    agreement = manifest["agreement"]["mean_cosine"]
    if not agreement >= MIN_COSINE:
        raise AgreementError(
            f"the manifest in {folder} says that the encoder agrees with its model to {agreement} only, and "
            f"{MIN_COSINE} is the least"
        )


def compile_network(model: Path) -> Any:
    """Load the network of a model file, ready to run: {input_ids, attention_mask}, both (n, tokens) int64, to (n,
    d)."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return (
        openvino()
        .Core()
        .compile_model(
            str(model),
            "CPU",
            {
                "PERFORMANCE_HINT": "LATENCY",
                "NUM_STREAMS": 1,
                # One thread, unless the operator sets more: see SentenceTransformerEmbedder.
                "INFERENCE_NUM_THREADS": int(threads) if threads.isdecimal() and int(threads) > 0 else 1,
                # A processor without bfloat16 computes in float32, which is more precise and slower.
                "INFERENCE_PRECISION_HINT": "bf16",
            },
        )
    )


def tokenizer(file: Path, tokens: int) -> Any:
    """Load a tokenizer that cuts texts at this many tokens and adds no padding."""
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(file))
    found.no_padding()
    found.enable_truncation(tokens)
    return found


def pad_batch(ids: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Build the network's input for texts as token ids, with padding masked."""
    longest = max(len(each) for each in ids)
    tokens = np.zeros((len(ids), longest), dtype=np.int64)
    mask = np.zeros_like(tokens)
    for row, each in enumerate(ids):
        tokens[row, : len(each)] = each
        mask[row, : len(each)] = 1
    return {"input_ids": tokens, "attention_mask": mask}
