"""Finds the needs of the policy's lexicon in a text, by any of their synonyms."""

import re
from collections.abc import Mapping
from functools import lru_cache

from matching.text.tokens import stem

_WORD = re.compile(r"[a-z0-9&+']+")

PhraseIndex = Mapping[str, tuple[tuple[tuple[str, ...], str], ...]]


def _stems(text: str) -> tuple[str, ...]:
    words = _WORD.findall(text.lower().replace("-", " ").replace("'s", ""))
    return tuple(stem(word.strip("'")) for word in words)


def build_phrase_index(lexicon: Mapping[str, tuple[str, ...]]) -> PhraseIndex:
    """Index the lexicon's phrases by their first word, longest first."""
    return _table_of(tuple(lexicon.items()))


@lru_cache(maxsize=4)
def _table_of(lexicon: tuple[tuple[str, tuple[str, ...]], ...]) -> PhraseIndex:
    found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
    for name, phrases in lexicon:
        for phrase in {_stems(phrase) for phrase in phrases} - {()}:
            found.setdefault(phrase[0], []).append((phrase, name))
    return {first: tuple(sorted(group, key=lambda g: (-len(g[0]), g))) for first, group in found.items()}


def find_needs(text: str, table: PhraseIndex) -> list[str]:
    """Return the needs named in a text, in order, with repetitions. Of phrases that start at one word the longest
    counts: `extra care` does not also name the need of `extra`."""
    stems = _stems(text)
    found: list[str] = []
    for at, word in enumerate(stems):
        longest = 0
        for phrase, name in table.get(word, ()):
            if len(phrase) < longest:
                break
            if stems[at : at + len(phrase)] == phrase:
                longest = len(phrase)
                found.append(name)
    return found
