# ruff: noqa: SIM905 (a word list reads better as a text)
"""The shipped lexicon: a word of one need is no word of every notice, and none of another need by its plural."""

from collections import defaultdict

from matching.corpus_statistics import NEED_PREFIX, Statistics
from matching.policy import Policy
from matching.text.needs import build_phrase_index, find_needs
from matching.text.tokens import STOP_WORDS, stem

# Words of any notice: a stop list may not drop them, but none of them names a need.
PROCUREMENT = """register registration notice bid quote quotation award opportunity portal interest lot specification
deadline approval completion appointment selection price budget option extension stage phase purchase buyer""".split()


def single_words() -> dict[str, dict[str, set[str]]]:
    """The phrases of one word: by stem, by spelling, the needs that they name. The needs' own names are left out."""
    found: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for need, phrases in Policy.load().concepts.items():
        for phrase in {phrase.lower() for phrase in phrases if phrase != need and phrase.isalpha()}:
            found[stem(phrase)][phrase].add(need)
    return {stemmed: dict(spelled) for stemmed, spelled in found.items()}


def test_no_need_is_named_by_a_word_of_every_notice() -> None:
    common = {stem(word) for word in (*STOP_WORDS, *PROCUREMENT)}
    assert not single_words().keys() & common


def test_a_word_of_two_needs_is_written_alike_in_both() -> None:
    assert not {word: spelled for word, spelled in single_words().items() if len(spelled) > 1}


def test_no_need_is_that_of_one_plan_in_fifteen() -> None:
    counted = Statistics.load()
    often = {name: n for name in Policy.load().concepts if (n := counted.words.get(NEED_PREFIX + name, 0))}
    assert len(often) > 500
    assert max(often.values()) < counted.documents / 15


def test_every_need_answers_to_its_own_name() -> None:
    concepts = Policy.load().concepts
    index = build_phrase_index(concepts)
    assert [name for name in concepts if name not in find_needs(name, index)] == []
