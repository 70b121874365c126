"""Nothing that helps nobody is said of pairs of real notices; skipped where they are not beside the repository."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from matching import reference
from matching.assessment import Assessment
from matching.engine import Features
from matching.explanation.reasons import field_name
from matching.explanation.words import FILLERS
from matching.text.tokens import remove_meanings, stem
from services.cli.offline import features_of_plans, read_plans
from tests.unit.ingest import SHARED
from tests.unit.matching.builders import AS_OF, EMBEDDER, engine

NOTICES, PAIRS = SHARED / "plans.jsonl", SHARED / "pairs-dev.jsonl"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (NOTICES.is_file() and PAIRS.is_file()), reason="no real notices beside the repository"),
]
RANDOM_PAIRS = 2000
EMPTY_PHRASES = re.compile(
    r"much the same|one area|written alike|would be an? |assumed|obstacle|£0\b|£nan|None\b|  |no telling word", re.I
)
Answers = list[tuple[Features, Features, Assessment]]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Judged pairs, which are alike, and pairs drawn at random, which are not."""
    cache = tmp_path_factory.mktemp("vectors") / "vectors.sqlite"
    every = features_of_plans(read_plans(NOTICES), engine(), EMBEDDER, cache)
    by_id = {f.plan.plan_id: f for f in every}
    judged = [json.loads(line) for line in Path(PAIRS).read_text(encoding="utf-8").splitlines()]
    rng = random.Random(1)
    pairs = [(by_id[one["a"]], by_id[one["b"]]) for one in judged]
    pairs += [tuple(rng.sample(every, 2)) for _ in range(RANDOM_PAIRS)]  # type: ignore[misc]
    return [(a, b, engine().assess(a, b, AS_OF)) for a, b in pairs]


def sentences(answers: Answers) -> Iterator[str]:
    for _, _, found in answers:
        yield from (*found.reasons, *found.would_change)


def test_every_sentence_is_short_and_says_something(answers: Answers) -> None:
    for sentence in sentences(answers):
        assert re.fullmatch(r"[A-Z\u201c£].*\.", sentence), sentence
        assert len(sentence) <= 300, sentence
        assert not EMPTY_PHRASES.search(re.sub(r"\u201c.*\u201d", "", sentence)), sentence


def test_answers_are_short_and_repeat_nothing(answers: Answers) -> None:
    for _, _, found in answers:
        assert 1 <= len(found.reasons) <= 11
        assert len(set(found.reasons)) == len(found.reasons)
        assert len(found.would_change) <= 1


def test_the_value_is_among_the_first_three(answers: Answers) -> None:
    valued = [found for a, b, found in answers if a.value >= 0 or b.value >= 0]
    assert len(valued) > 1000
    assert all("£" in " ".join(found.reasons[:3]) for found in valued)


def test_a_need_is_named_once_in_words_of_the_texts(answers: Answers) -> None:
    concepts = engine().policy.concepts
    named, names = 0, {*concepts, *map(field_name, concepts)}
    for a, b, found in answers:
        about = re.match(r"Both plans (?:have the same need,|concern) (.+?): \u201c", found.reasons[0])
        if about:
            named += 1
            assert about.group(1) in names
            said = {*a.all_terms, *b.all_terms}
            assert {stem(word) for word in re.findall(r"[a-z]+", about.group(1).lower())} & said, found.reasons[0]
    assert named > 500


def test_words_are_evidence_only_where_they_say_something(answers: Answers) -> None:
    told = 0
    for a, b, found in answers:
        listed = [reason for reason in found.reasons if reason.startswith("Both texts speak of")]
        for reason in listed:
            told += 1
            words = re.split(r", | and ", reason.removeprefix("Both texts speak of ").removesuffix("."))
            # Two words that stand side by side in both texts are told as one phrase: "supported accommodation".
            assert len(re.split("[ -]", " ".join(words))) >= 2, reason
            first = min(a, b, key=lambda f: f.plan.plan_id).texts
            text = remove_meanings(f"{first.title} {first.body}", engine().policy.synonyms.values()).lower()
            assert all(re.search(rf"(?<![a-z]){re.escape(word.lower())}(?![a-z])", text) for word in words), reason
            assert not {stem(word.lower()) for word in words} & FILLERS, reason
            places = {w for f in (a, b) for name in reference.names_of(f.plan.authority) for w in name.split()}
            assert not {word.lower() for word in words} & (places - {"city", "county", "valley"}), reason
    assert told > 500


def test_the_country_is_named_only_where_a_plan_says_so(answers: Answers) -> None:
    for a, b, found in answers:
        if any("whole United Kingdom" in reason for reason in found.reasons):
            assert "UK" in (*a.delivery_area.codes, *b.delivery_area.codes)
            assert a.delivery_area.stated or b.delivery_area.stated


def test_a_code_is_evidence_only_where_a_text_agrees(answers: Answers) -> None:
    for a, b, found in answers:
        for reason in found.reasons:
            if code := re.match(r"Both name CPV (\d{8})", reason):
                assert engine().policy.category_of((code.group(1),)) in (a.category, b.category)
