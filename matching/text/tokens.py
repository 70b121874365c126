# ruff: noqa: SIM905 (a word list reads better as a text)
"""Words as evidence: the words of a text, their rarity, and the weight of sharing them."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from itertools import pairwise

_WORD = re.compile(r"[a-z][a-z0-9]*(?:[+#]+)?")
_SATURATION = 1.2

STOP_WORDS = frozenset(
    """
    a an the and or of for to in on at by with from as is are be been was were will shall can may which that
    this these those it its their our his her they we you who whom has have had not no any all each other such
    into per than within across between up out over under about more most also including include includes etc
    via both new use used using so if but where when while there here then them us do does did being would
    should could must council councils authority authorities borough district county contract contracts tender
    tenders provision supply service services procurement framework agreement supplier suppliers provider
    providers contractor contractors bidder bidders organisation organisations required requirement requirements
    """.split()
)


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Strip the plural ending: this merges `systems` and `system`, and too little else to cause confusion."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def tokens(text: str) -> list[str]:
    """Return the stemmed words of a text in order, without stop words and single letters."""
    words = _WORD.findall(text.lower().replace("'s", ""))
    return [stem(w) for w in words if len(w) > 1 and w not in STOP_WORDS]


def phrases(text: str) -> list[str]:
    """Return the pairs of neighbouring words of a text, without stop words: `care in an extra care scheme` has `extra
    care` and `care scheme`."""
    words = tokens(text)
    return [f"{one} {other}" for one, other in pairwise(words)]


def expand_synonyms(text: str, synonyms: Mapping[str, str]) -> str:
    """Add the meaning after each trade word or acronym: `MFD` becomes `MFD (multifunction printer)`."""
    if not synonyms:
        return text

    def add(match: re.Match[str]) -> str:
        meaning = synonyms.get(match.group().lower())
        return f"{match.group()} ({meaning})" if meaning and meaning not in text.lower() else match.group()

    return re.sub(r"[A-Za-z][A-Za-z0-9&+]*", add, text)


def remove_meanings(text: str, meanings: Iterable[str]) -> str:
    """Remove the meanings that `expand_synonyms` added."""
    for meaning in meanings:
        text = text.replace(f" ({meaning})", "")
    return text


def tf_idf_weights(
    counted: Mapping[str, float], rarity: Callable[[str], float], least: float = 0.0
) -> dict[str, float]:
    """Weight each word: rarer words more, repeated words slightly more; unit length overall, in word order."""
    raw = {
        word: rarity(word) * count * (1 + _SATURATION) / (count + _SATURATION)
        for word, count in sorted(counted.items())
    }
    length = math.sqrt(math.fsum(w * w for w in raw.values()))
    return {word: w / max(length, least) for word, w in raw.items()} if length > 0 else {}


def weighted_counts(*texts: tuple[Iterable[str], float]) -> dict[str, float]:
    """Count each word's occurrences, with every text's occurrences multiplied by its weight."""
    found: dict[str, float] = {}
    for words, weight in texts:
        for word in words:
            found[word] = found.get(word, 0.0) + weight
    return found


def cosine_similarity(
    a: Mapping[str, float], b: Mapping[str, float], telling: Mapping[str, float] | None = None
) -> float:
    """Compute the cosine of two weighted word lists, 0 to 1, optionally with a weight for each word. Swapping the lists
    gives the same result to the last bit."""
    shared = sorted(a.keys() & b.keys())
    if telling is None:
        return min(1.0, math.fsum(a[word] * b[word] for word in shared))
    return min(1.0, math.fsum(a[word] * b[word] * telling.get(word, 0.0) for word in shared))


def shared_terms(a: Mapping[str, float], b: Mapping[str, float], limit: int) -> list[str]:
    """Return the shared words with the most weight, strongest first."""
    ranked = sorted(((a[w] * b[w], w) for w in a.keys() & b.keys()), key=lambda x: (-x[0], x[1]))
    total = math.fsum(weight for weight, _ in ranked)
    return [word for weight, word in ranked[:limit] if weight >= 0.04 * total]
