"""Shared by the offline commands: plans from a file, and their features, without broker or database."""

import hashlib
import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import typer
from pydantic import ValidationError

from events.plans import PlanPublished
from events.validation_sentences import describe_validation_error
from matching.embedding import Embedder
from matching.engine import Corpus, Engine, Features, Vector
from matching.plan import Plan
from services.store.mapping import plan_from_payload

_BLOCK = 256


class PlanFileError(ValueError):
    """The plan file cannot be read; the message names file, line, field and reason."""


def default_cache() -> Path:
    """The cache file for embeddings."""
    return Path(typer.get_app_dir("jointly")) / "embeddings.sqlite"


def read_plans(path: Path) -> list[Plan]:
    """Read the plans of a JSONL file of plan payloads, the highest revision of each. Raises PlanFileError."""
    latest: dict[str, Plan] = {}
    for number, line in numbered_lines(path):
        try:
            plan = plan_from_payload(PlanPublished.model_validate(json.loads(line)))
        except ValidationError as error:
            raise PlanFileError(f"{path}, line {number}: {describe_validation_error(error)}") from error
        except ValueError as error:
            raise PlanFileError(f"{path}, line {number}: not a plan: {error}") from error
        held = latest.get(plan.plan_id)
        if held is None or held.revision < plan.revision:
            latest[plan.plan_id] = plan
    return list(latest.values())


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Return the lines of a text file that are not blank, each with its number from 1. Raises PlanFileError."""
    try:
        with path.open(encoding="utf-8") as lines:
            yield from ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise PlanFileError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from error


def embed_cached(texts: Sequence[str], embedder: Embedder, cache: Path) -> dict[str, Vector]:
    """Return the vector of every distinct text, from the cache if known; other texts are embedded and cached."""
    keys = {text: hashlib.sha256(f"{embedder.model}\n{text}".encode()).hexdigest() for text in texts}
    cache.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(cache)) as database:
        database.execute("create table if not exists embedding (key text primary key, vector blob not null)")
        found: dict[str, Vector] = {}
        for text, key in keys.items():
            row = database.execute("select vector from embedding where key = ?", (key,)).fetchone()
            if row is not None:
                found[text] = np.frombuffer(row[0], dtype=np.float32)
        missing = sorted((text for text in keys if text not in found), key=len)
        for start in range(0, len(missing), _BLOCK):
            block = missing[start : start + _BLOCK]
            vectors = embedder.embed(block)
            rows = [(keys[text], vector.tobytes()) for text, vector in zip(block, vectors, strict=True)]
            database.executemany("insert or replace into embedding values (?, ?)", rows)
            database.commit()
            found.update(zip(block, vectors, strict=True))
            say(f"embedded {min(start + _BLOCK, len(missing))} of {len(missing)} new texts")
    return found


def features_of_plans(plans: Sequence[Plan], engine: Engine, embedder: Embedder, cache: Path) -> list[Features]:
    """Return the features of each plan, in order."""
    texts = [engine.texts(plan) for plan in plans]
    vectors = embed_cached([t for both in texts for t in (both.title, both.body) if t], embedder, cache)
    nothing = np.zeros(embedder.dimensions, dtype=np.float32)
    return [
        engine.features(plan, vectors.get(both.title, nothing), vectors.get(both.body))
        for plan, both in zip(plans, texts, strict=True)
    ]


def corpus_of(features: Sequence[Features], engine: Engine) -> Corpus:
    """Build a corpus of these plans."""
    corpus = engine.corpus()
    for one in features:
        corpus.upsert(one)
    return corpus


def say(message: str) -> None:
    """Print a line of progress to standard error."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201
