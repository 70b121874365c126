"""Loads the encoder that a setting names."""

from pathlib import Path

from matching.embedding import Embedder, HashingEmbedder, UnknownModelError
from matching.encoders import openvino
from matching.encoders.sentence_transformer import DEFAULT_MODEL, SentenceTransformerEmbedder, pinned_weights


def load_embedder(spec: str = "") -> Embedder:
    """Load the embedder of a setting: "" or "all-MiniLM-L6-v2" (pinned weights), "hashing" (stand-in), else the folder
    of a sentence-transformers model or of an encoder from `jointly encoder export`.

    Raises EmbeddingError with the remedy.
    """
    if spec in ("", DEFAULT_MODEL):
        return SentenceTransformerEmbedder(*pinned_weights(), name=DEFAULT_MODEL)
    if spec == HashingEmbedder.name:
        return HashingEmbedder()
    path = Path(spec).expanduser()
    if not path.is_dir():
        raise UnknownModelError(
            f"the embedding model {spec!r} is neither {DEFAULT_MODEL!r}, 'hashing' nor a folder: give the folder of a "
            "sentence-transformers model, or leave the setting empty for the default"
        )
    if (path / openvino.MANIFEST).is_file():
        return openvino.OpenVinoEmbedder(path, pinned_sha256=pinned_weights()[1])
    return SentenceTransformerEmbedder(path, None, name=path.name)
