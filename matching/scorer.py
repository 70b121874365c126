"""The fitted scorer: weights of signals, needs and words, and the words that distinguish natures and categories.

`jointly fit` makes it from judged pairs. Its version is part of the policy's version, and so of the generation.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

NATURES = (
    "goods",
    "hire",
    "maintenance",
    "service",
    "works",
    "consultancy",
    "role",
    "software",
    "finance",
    "utility",
    "land",
)
"""The nature of a purchase, whatever its subject: buying, hiring and repairing sweepers are three natures."""

READINESS_LIMIT = 3.0
"""The most logits that the readiness of one plan can add or subtract."""


class ScorerError(ValueError):
    """The scorer file cannot be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class SignalWeights:
    """Weights of the signals in the logistic sum; all but the intercept are 0 or more."""

    intercept: float
    dense: float
    title_terms: float
    all_terms: float
    phrases: float
    concepts: float
    profile: float
    fuzzy: float
    cpv: float
    needs: float
    nature: float
    readiness: float
    described: float
    value_likeness: float
    value_size: float

    @property
    def values(self) -> float:
        """The most that the two value signals can add."""
        return self.value_likeness + self.value_size


@dataclass(frozen=True, slots=True, eq=False)
class Scorer:
    """One fit.

    `needs` is the evidence of sharing each need, 0 to 1. `readiness` has the logits that a need (`~need`) or a title
    word adds for each plan that names it. `natures` is the evidence of each common nature, 0 to 1, in the order of
    NATURES. `nature_words` has the logits of each nature by word, prefixed with `title `, `word ` or `need `;
    `nature_bias` has those of no word. `category_words` and `category_bias` are the same for `categories`, the policy's
    by name; empty if none were learned.
    """

    version: str
    weights: SignalWeights
    needs: Mapping[str, float]
    readiness: Mapping[str, float]
    natures: tuple[float, ...]
    nature_words: Mapping[str, tuple[float, ...]]
    nature_bias: tuple[float, ...]
    categories: tuple[str, ...] = ()
    category_words: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    category_bias: tuple[float, ...] = ()

    @classmethod
    def load(cls, path: Path | None = None) -> "Scorer":
        """Load a file made by `jointly fit`, or by default the packaged scorer. Raises ScorerError."""
        if path is None:
            return _packaged()
        try:
            return cls.loads(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise ScorerError(f"cannot read the scorer file {path}: {error}") from error

    @classmethod
    def loads(cls, text: str, source: str) -> "Scorer":
        """Parse the text of a scorer file. Raises ScorerError."""
        try:
            content = json.loads(text)
            categories = tuple(map(str, content.get("categories", ())))
            weights = SignalWeights(**{name: float(value) for name, value in content["weights"].items()})
            scorer = cls(
                version=f"{content['name']}+{hashlib.sha256(text.encode()).hexdigest()[:12]}",
                weights=weights,
                needs=_numbers(content["needs"], 0.0, 1.0),
                readiness=_numbers(content["readiness"], -100.0, 100.0),
                natures=_row(content["natures"], 0.0, 1.0),
                nature_words={word: _row(row) for word, row in content["nature_words"].items()},
                nature_bias=_row(content["nature_bias"]),
                categories=categories,
                category_words={
                    word: _row(row, count=len(categories)) for word, row in content.get("category_words", {}).items()
                },
                category_bias=_row(content.get("category_bias", []), count=len(categories)),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ScorerError(f"cannot use the scorer file {source} ({error}): make one with `jointly fit`") from error
        for one in fields(weights):
            value = getattr(weights, one.name)
            if not math.isfinite(value) or (value < 0 and one.name != "intercept"):
                raise ScorerError(f"{source}: weights.{one.name} must be 0 or more, not {value!r}")
        return scorer

    def nature_of(
        self, title: Mapping[str, float], words: Mapping[str, float], needs: Mapping[str, float]
    ) -> tuple[float, ...]:
        """The likelihood of each of NATURES for a plan with these weighted words and needs; they add up to 1."""
        return _likely(self.nature_bias, self.nature_words, title, words, needs)

    def category_of(
        self, title: Mapping[str, float], words: Mapping[str, float], needs: Mapping[str, float]
    ) -> dict[str, float]:
        """The likelihood of each of `categories` for a plan with these weighted words and needs; they add up to 1."""
        likely = _likely(self.category_bias, self.category_words, title, words, needs) if self.categories else ()
        return dict(zip(self.categories, likely, strict=True))

    def readiness_of(self, title: Mapping[str, float], needs: Mapping[str, float]) -> float:
        """The readiness for a joint purchase of a plan with these words: logits, within READINESS_LIMIT of 0."""
        added = [weight * self.readiness.get(word, 0.0) for word, weight in title.items()]
        added += [weight * self.readiness.get(f"~{need}", 0.0) for need, weight in needs.items()]
        return min(READINESS_LIMIT, max(-READINESS_LIMIT, math.fsum(added)))


def dumps(name: str, card: Mapping[str, Any], scorer: Scorer) -> str:
    """Format a scorer file, one word a line, sorted, so that fits can be compared. `card` describes its data."""
    head = {
        "name": name,
        "card": dict(card),
        "weights": {key: round(value, 5) for key, value in asdict(scorer.weights).items()},
        "natures": [round(share, 5) for share in scorer.natures],
        "nature_bias": list(scorer.nature_bias),
        "categories": list(scorer.categories),
        "category_bias": list(scorer.category_bias),
    }
    tables: dict[str, Mapping[str, Any]] = {
        "needs": {need: round(share, 4) for need, share in scorer.needs.items()},
        "readiness": {word: round(value, 4) for word, value in scorer.readiness.items()},
        "nature_words": {word: list(row) for word, row in scorer.nature_words.items()},
        "category_words": {word: list(row) for word, row in scorer.category_words.items()},
    }
    parts = [json.dumps(head, indent=1)[:-2]]
    for key, table in tables.items():
        lines = ",\n".join(f"{json.dumps(term)}: {json.dumps(table[term])}" for term in sorted(table))
        parts.append(f'"{key}": {{\n{lines}\n}}')
    return ",\n".join(parts) + "\n}\n"


def _numbers(content: Mapping[str, Any], low: float, high: float) -> dict[str, float]:
    return {key: _within(value, low, high) for key, value in content.items()}


def _likely(
    bias: Sequence[float],
    rows: Mapping[str, tuple[float, ...]],
    title: Mapping[str, float],
    words: Mapping[str, float],
    needs: Mapping[str, float],
) -> tuple[float, ...]:
    """The classes' likelihoods, 1 in sum: a softmax over the bias plus the rows of the weighted terms."""
    logits = list(bias)
    for kind, terms in (("title ", title), ("word ", words), ("need ", needs)):
        for term, weight in terms.items():
            row = rows.get(kind + term)
            if row is not None:
                logits = [z + weight * w for z, w in zip(logits, row, strict=True)]
    top = max(logits)
    shares = [math.exp(z - top) for z in logits]
    total = math.fsum(shares)
    return tuple(share / total for share in shares)


def _row(content: object, low: float = -100.0, high: float = 100.0, count: int = len(NATURES)) -> tuple[float, ...]:
    if not isinstance(content, list) or len(content) != count:
        raise ValueError(f"a row must hold {count} numbers")
    return tuple(_within(value, low, high) for value in content)


def _within(value: Any, low: float, high: float) -> float:
    number = float(value)
    if not low <= number <= high:
        raise ValueError(f"{number!r} must lie between {low:g} and {high:g}")
    return number


@cache
def _packaged() -> Scorer:
    text = files("matching").joinpath("scorer.json").read_text(encoding="utf-8")
    return Scorer.loads(text, "scorer.json (packaged)")
