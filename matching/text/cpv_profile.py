"""The CPV groups as vectors, for inferring a plan's likely codes from its text."""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np

from matching import reference
from matching.components.specification import Vector
from matching.embedding import HashingEmbedder

_SHARPNESS = np.float32(8.0)


def group_labels() -> dict[str, str]:
    """Return the labels of all CPV divisions and groups (the first three digits), the level at which councils
    agree."""
    return {code: label for code, label in reference.cpv_labels().items() if re.fullmatch(r"\d{3}00000", code)}


@dataclass(frozen=True, slots=True, eq=False)
class CpvGroupVectors:
    """The CPV groups for one model: `codes` (g), the labels' mean vector `middle` (d,), and `labels` (g, d), each
    label's unit vector from that mean. Subtracting the mean removes the part that all labels share."""

    codes: tuple[str, ...]
    middle: Vector
    labels: Vector

    def profile(self, dense: Vector) -> Vector:
        """Return the likely groups of a text with unit vector (d,): its nearness to each label, sharpened; (g,), unit
        length, or empty if the model has no groups."""
        if not self.codes:
            return np.zeros(0, dtype=np.float32)
        text = dense - self.middle
        near = (self.labels @ text) / np.float32(max(float(np.linalg.norm(text)), 1e-6))
        share = np.exp(_SHARPNESS * (near - near.max()))
        return np.asarray(share / np.linalg.norm(share), dtype=np.float32)


@cache
def load_cpv_groups(model: str) -> CpvGroupVectors:
    """Return the groups' vectors for a model; empty for a model without them."""
    codes = tuple(group_labels())
    if model == HashingEmbedder.model:
        return _centred(codes, HashingEmbedder().embed(list(group_labels().values())))
    with files("matching").joinpath("groups.npz").open("rb") as packed, np.load(packed) as content:
        if _weights(str(content["model"])) != _weights(model):
            return CpvGroupVectors((), np.zeros(0, dtype=np.float32), np.zeros((0, 0), dtype=np.float32))
        vectors = content["vectors"].astype(np.float32)
    return _centred(codes, vectors)


def _weights(model: str) -> str:
    """Return a model's name and weights without its engine."""
    return model.rpartition("/")[0] or model


def _centred(codes: tuple[str, ...], vectors: Vector) -> CpvGroupVectors:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    middle = unit.mean(axis=0)
    labels = unit - middle
    lengths = np.maximum(np.linalg.norm(labels, axis=1, keepdims=True), 1e-6)
    return CpvGroupVectors(codes, np.asarray(middle, dtype=np.float32), np.asarray(labels / lengths, dtype=np.float32))
