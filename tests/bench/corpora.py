"""The corpora that everything is measured on: generated ones of any size, and the real plans where they are there."""

import json
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np

from events.plans import PlanPublished, PlanState, PlanUpdated
from matching.embedding import HashingEmbedder
from matching.engine import CleanedTexts, Engine
from services.store.mapping import plan_from_payload
from tests.bench import generator

REAL = "3086real"
KEPT_BACK = 5
"""For so many plans of a generated corpus that are there, one more is kept back: the same share at any size, because
every plan that is not there is a partner missing."""
_MOST_NEW = 2000
"""So many of those kept back are made, to come in as new ones."""
_REAL_RESERVE = 300


@dataclass(frozen=True, slots=True)
class Corpus:
    """`active` plans that are there from the beginning, and `new` ones that come in while something is measured. In the
    database each active plan stands `times` times."""

    name: str
    active: tuple[PlanPublished, ...]
    new: tuple[PlanPublished, ...]
    times: int = 1

    @property
    def base(self) -> str:
        """The name of the corpus that this one's plans are copied from; its own where they are not."""
        return self.name.partition("x")[0]

    def updates(self, count: int) -> list[PlanUpdated]:
        """So many later revisions of active plans, each plan at most once, that do not change the text."""
        chosen = Random(3).sample(self.active, min(count, len(self.active)))
        return [generator.updated(plan) for plan in chosen]


def corpus(size: str, real: Path | None = None) -> Corpus:
    """The corpus of a size: a number, one with its plans copied (100000x10), or 3086real.

    Raises FileNotFoundError where the real plans are not there.
    """
    if size == REAL:
        return _real(real)
    number, _, times = size.partition("x")
    count = int(number)
    kept_back = count // KEPT_BACK
    every = tuple(islice(generator.plans(count + kept_back), count + min(kept_back, _MOST_NEW)))
    return Corpus(size, every[:count], every[count:], int(times or 1))


def _real(file: Path | None) -> Corpus:
    if file is None or not file.is_file():
        raise FileNotFoundError(f"the real plans are not at {file}: name their JSONL file with --real")
    every = [PlanPublished.model_validate(json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
    Random(1).shuffle(every)
    return Corpus(REAL, tuple(every[_REAL_RESERVE:]), tuple(every[:_REAL_RESERVE]))


@cache
def _engine() -> Engine:
    return Engine.load()


def texts_of(plan: PlanState) -> CleanedTexts:
    """The cleaned texts that the pipeline embeds for a plan."""
    return _engine().texts(plan_from_payload(plan))


def distinct(plans: tuple[PlanPublished, ...]) -> list[str]:
    """Every different cleaned text of plans, in order of appearance."""
    found: dict[str, None] = {}
    for plan in plans:
        both = texts_of(plan)
        found.update(dict.fromkeys(text for text in (both.title, both.body) if text))
    return list(found)


def stand_in_vectors(plans: tuple[PlanPublished, ...]) -> np.ndarray:
    """One unit vector a plan by the stand-in embedder, shape (n, 384), float32: search costs the same by any."""
    return HashingEmbedder().embed([f"{plan.title}. {plan.description}" for plan in plans])
