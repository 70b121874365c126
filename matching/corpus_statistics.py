"""The rarity of words among plans: a pinned file, so that the same plans always give the same opportunities."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from matching import reference
from matching.plan import Plan
from matching.policy import Policy
from matching.text.cleaning import clean
from matching.text.needs import build_phrase_index, find_needs
from matching.text.tokens import phrases, tokens

MIN_DOCUMENTS = 2
# The mark of a need, so that it is never mistaken for the word of the same name.
NEED_PREFIX = "~"


class StatisticsError(ValueError):
    """The statistics file cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Counts over `documents` plans: the number of plans with each stemmed word, each pair of neighbouring words and
    each
    need of the lexicon (marked `~`). Words that only one plan has are left out."""

    name: str
    documents: int
    words: Mapping[str, int]
    version: str

    def idf(self, word: str) -> float:
        """The inverse document frequency of a stemmed word, above 0; an unknown word counts as seen once."""
        seen = self.words.get(word, 1)
        return math.log(1.0 + (self.documents - seen + 0.5) / (seen + 0.5))

    @classmethod
    def load(cls, path: Path | None = None) -> "Statistics":
        """Load a file made by `jointly statistics build`, or by default the packaged general statistics.

        Raises StatisticsError.
        """
        return cls._load(path) if path else _packaged_statistics()

    @classmethod
    def _load(cls, path: Path | None) -> "Statistics":
        source = str(path) if path else "statistics.json (packaged)"
        try:
            text = path.read_text(encoding="utf-8") if path else _packaged()
            content = json.loads(text)
            name, documents, words = content["name"], content["documents"], content["words"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StatisticsError(
                f"cannot use the statistics file {source} ({error}): make one with `jointly statistics build`"
            ) from error
        if not isinstance(name, str) or type(documents) is not int or documents < 1 or not _counts(words, documents):
            raise StatisticsError(
                f"{source}: needs a name, a number of documents and words counted from 1 to that number; make a new "
                "one with `jointly statistics build`"
            )
        return cls._of(name, documents, words)

    @classmethod
    def _of(cls, name: str, documents: int, words: Mapping[str, int]) -> "Statistics":
        canonical = json.dumps([name, documents, sorted(words.items())], separators=(",", ":"))
        return cls(name, documents, dict(words), f"{name}+{hashlib.sha256(canonical.encode()).hexdigest()[:12]}")

    def dumps(self) -> str:
        """The text of the file: one word a line, sorted, so that versions can be compared."""
        head = {"name": self.name, "documents": self.documents}
        words = ",\n".join(f"{json.dumps(w)}:{n}" for w, n in sorted(self.words.items()))
        return json.dumps(head)[:-1] + ', "words": {\n' + words + "\n}}\n"


@cache
def _packaged_statistics() -> Statistics:
    return Statistics._load(None)


def _packaged() -> str:
    return files("matching").joinpath("statistics.json").read_text(encoding="utf-8")


def _counts(words: object, documents: int) -> bool:
    return isinstance(words, dict) and all(type(n) is int and 1 <= n <= documents for n in words.values())


def build_statistics(plans: Iterable[Plan], name: str = "own", policy: Policy | None = None) -> Statistics:
    """Count words, pairs of words and the policy's needs over plans, in any order. No text is kept."""
    table = build_phrase_index((policy or Policy.load()).concepts)
    counted: Counter[str] = Counter()
    documents = 0
    for plan in plans:
        cleaned = clean(plan.title, plan.description, reference.names_of(plan.authority))
        seen: set[str] = set()
        for text in (cleaned.title, cleaned.body):
            seen.update(tokens(text), phrases(text), (NEED_PREFIX + need for need in find_needs(text, table)))
        counted.update(seen)
        documents += 1
    words = {word: n for word, n in counted.items() if n >= MIN_DOCUMENTS}
    return Statistics._of(name, max(documents, 1), words)
