"""The CPV groups as vectors, for reading a plan's likely codes from its text."""

import re
from functools import cache
from importlib.resources import files

import numpy as np

from matching import reference
from matching.embedding import HashingEmbedder
from matching.specification import Vector


def group_labels() -> dict[str, str]:
    """The label of every CPV division and group (the first three digits), the level at which councils agree."""
    return {code: label for code, label in reference.cpv_labels().items() if re.fullmatch(r"\d{3}00000", code)}


@cache
def cpv_groups(model: str) -> tuple[tuple[str, ...], Vector]:
    """Codes (g) and unit vectors (g, d) of the CPV groups for a model; none for a model they were not made with.

    The vectors of the default model are packaged, so that the engine needs no model to start.
    """
    codes = tuple(group_labels())
    if model == HashingEmbedder.model:
        return codes, HashingEmbedder().embed(list(group_labels().values()))
    with files("matching").joinpath("groups.npz").open("rb") as packed, np.load(packed) as content:
        if str(content["model"]) != model:
            return (), np.zeros((0, 0), dtype=np.float32)
        vectors = content["vectors"].astype(np.float32)
    return codes, np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)
