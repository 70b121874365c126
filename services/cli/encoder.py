"""`jointly encoder export`: builds the optional faster encoder from the pinned weights of the default model."""

import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer

from matching.embedding import Vectors
from matching.encoders.agreement_texts import probe_texts
from matching.encoders.loading import load_embedder
from matching.encoders.openvino import (
    ENGINE,
    FORMAT,
    MANIFEST,
    MIN_COSINE,
    MODEL,
    PROBES,
    TOKENIZER,
    WEIGHTS,
    AgreementError,
    compile_network,
    file_sha256,
    openvino,
    pad_batch,
    row_cosines,
    tokenizer,
)
from matching.encoders.sentence_transformer import DEFAULT_MODEL, pinned_weights
from services.cli.offline import say

app = typer.Typer(no_args_is_help=True, help="The optional faster encoder.")

_PROBES: Final = 64
_TOOLS: Final = ("openvino", "torch", "transformers", "sentence-transformers")


@app.callback()
def _encoder() -> None:
    """The optional faster encoder: another engine for the default model's weights, and so another model version."""


@app.command()
def export(
    to: Annotated[Path, typer.Option(help="The folder to create; it must be empty or not exist.")],
) -> None:
    """Export the default model for OpenVINO into a folder, with a manifest of its sources.

    Takes half a minute and needs the extra `fast`. Then set JOINTLY_EMBEDDING_MODEL to the folder. That makes another
    generation, so run `jointly reassess`.
    """
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        say(f"{to} is there already: give a folder that is empty, or none yet")
        raise typer.Exit(2)
    manifest = make(to)
    found = load_embedder(str(to))
    agreement = manifest["agreement"]
    say(f"cosine with the reference: mean {agreement['mean_cosine']}, least {agreement['least_cosine']}")
    typer.echo(json.dumps({"folder": str(to), "model": found.model, "agreement": agreement}))


def make(to: Path) -> dict[str, Any]:
    """Create the folder and return its manifest. Raises EmbeddingError if the tools are missing or the result is too
    far from the reference; then there is no manifest, and nothing loads the folder."""
    library = openvino()
    folder, sha256 = pinned_weights()
    say("loading the reference")
    reference = load_embedder()
    to.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folder / TOKENIZER, to / TOKENIZER)
    network, tokens = _network(library, folder)
    library.save_model(network, str(to / MODEL), compress_to_fp16=False)

    probes = probe_texts(_PROBES)
    expected = reference.embed(probes)
    np.savez(to / PROBES, texts=np.array(probes), vectors=expected)
    near = row_cosines(_vectors(to, probes, tokens), expected)
    mean, least = round(float(near.mean()), 4), round(float(near.min()), 4)
    if mean < MIN_COSINE:
        raise AgreementError(f"the exported model's cosine with the reference is {mean} only; {MIN_COSINE} is needed")
    manifest = {
        "format": FORMAT,
        "engine": ENGINE,
        "source": {"name": DEFAULT_MODEL, "sha256": sha256},
        "dimensions": reference.dimensions,
        "tokens": tokens,
        "weights": "float32, computed in bfloat16 if the processor supports it",
        "agreement": {"texts": _PROBES, "mean_cosine": mean, "least_cosine": least},
        "tools": {name: version(name) for name in _TOOLS},
        "files": {name: file_sha256(to / name) for name in (MODEL, WEIGHTS, TOKENIZER, PROBES)},
    }
    # Written last, so that a folder with a manifest is complete.
    (to / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    return manifest


def _network(library: Any, folder: Path) -> tuple[Any, int]:
    """Build the reference as an OpenVINO network in float32, from token ids to unit vectors, with its maximum text
    length."""
    import torch
    from sentence_transformers import SentenceTransformer
    from torch import Tensor, nn

    class PooledEncoder(nn.Module):
        """The mean of the token vectors, scaled to unit length: the model's three modules in one."""

        def __init__(self, encoder: nn.Module) -> None:
            super().__init__()
            self.encoder = encoder

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            kept = attention_mask.unsqueeze(-1).to(states.dtype)
            return nn.functional.normalize((states * kept).sum(1) / kept.sum(1).clamp(min=1e-9), dim=1)

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    encoder: Any = model[0]
    example = {name: torch.from_numpy(rows) for name, rows in pad_batch([[101, 2048, 102], [101, 102]]).items()}
    with torch.inference_mode():
        network = library.convert_model(PooledEncoder(encoder.auto_model).eval(), example_input=example)
    return network, int(model.max_seq_length or 0)


def _vectors(folder: Path, texts: list[str], tokens: int) -> Vectors:
    network, words = compile_network(folder / MODEL), tokenizer(folder / TOKENIZER, tokens)
    rows = [network(pad_batch([encoding.ids]))[0] for encoding in words.encode_batch(texts)]
    return np.concatenate(rows).astype(np.float32)
