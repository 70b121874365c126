"""Cleaning keeps the requirement and nothing else; words, needs and statistics count it."""

import json
from pathlib import Path

import pytest

from matching.corpus_statistics import Statistics, StatisticsError, build_statistics
from matching.policy import Policy
from matching.reference import names_of
from matching.text.cleaning import clean, clean_title
from matching.text.needs import build_phrase_index, find_needs
from matching.text.tokens import (
    cosine_similarity,
    expand_synonyms,
    phrases,
    stem,
    tf_idf_weights,
    tokens,
    weighted_counts,
)
from tests.unit.matching.builders import LEEDS, plan


@pytest.mark.parametrize(
    ("title", "cleaned"),
    [
        ("Invitation to Tender for the Provision of Window Cleaning", "Window Cleaning"),
        ("ABC12345 - Leeds City Council - Parking Enforcement", "Parking Enforcement"),
        ("Framework Agreement for the Supply of Stationery", "Stationery"),
        ("Young People?s Housing", "Young People's Housing"),
        ("Tender", "Tender"),
        ("London Borough of Camden: Lift Maintenance 2027-2031", "Lift Maintenance"),
        ("Reading and writing lessons", "Reading and writing lessons"),
    ],
)
def test_titles_lose_procedure_references_and_places(title: str, cleaned: str) -> None:
    assert clean_title(title, names_of(LEEDS)) == cleaned


def test_bodies_lose_clauses_and_lead_ins() -> None:
    body = clean(
        "Cleaning",
        "Leeds City Council is seeking to appoint a contractor to deliver window cleaning at its offices. "
        "Interested bidders should register their interest via the portal at www.example.org. "
        "The contract will commence on 1 April 2027.",
        names_of(LEEDS),
    ).body
    assert body == "window cleaning at its offices."


def test_a_notice_of_one_sentence_keeps_it() -> None:
    assert "salt" in clean("Salt", "Supply of road salt, see the tender documents on the portal.").body


def test_long_and_odd_text_is_survived() -> None:
    assert clean("\x00\u202e\ud7ff" * 10, "x " * 200_000).title is not None
    assert clean("", "").title == ""


@pytest.mark.parametrize(
    "piece", ["the ", "of the city council ", "a-", "A/", "a1", "a@", " ", "x", "a.b.", "London Borough of "]
)
def test_no_repetition_takes_long(piece: str) -> None:
    # Each of these took many seconds where a pattern could try the same words again and again.
    clean(piece * 20_000, piece * 20_000)


@pytest.mark.parametrize(
    ("word", "stemmed"),
    [
        ("systems", "system"),
        ("services", "service"),
        ("bus", "bus"),
        ("buses", "buse"),
        ("bodies", "body"),
        ("glass", "glass"),
        ("gas", "gas"),
    ],
)
def test_plurals_meet(word: str, stemmed: str) -> None:
    assert stem(word) == stemmed


def test_words_and_pairs() -> None:
    assert tokens("The Council's payroll systems and HR") == ["payroll", "system", "hr"]
    assert phrases("care in an extra care scheme") == ["care extra", "extra care", "care scheme"]
    assert expand_synonyms("MFD contract", {"mfd": "multifunction printer"}) == "MFD (multifunction printer) contract"


def test_a_shared_rare_word_counts_more_than_a_shared_common_one() -> None:
    rarity = {"common": 1.0, "rare": 6.0, "x": 3.0, "y": 3.0}.__getitem__
    rare = cosine_similarity(
        tf_idf_weights(weighted_counts((["rare", "x"], 1)), rarity),
        tf_idf_weights(weighted_counts((["rare", "y"], 1)), rarity),
    )
    common = cosine_similarity(
        tf_idf_weights(weighted_counts((["common", "x"], 1)), rarity),
        tf_idf_weights(weighted_counts((["common", "y"], 1)), rarity),
    )
    assert rare > 3 * common


@pytest.mark.parametrize(
    ("text", "need"),
    [
        ("Choice-Based Lettings and housing register", "housing allocation"),
        ("Women's refuges", "domestic abuse"),
        ("SD-WAN roll out", "wide area network"),
        ("Multi-Functional Devices", "printing devices"),
    ],
)
def test_the_same_need_is_known_by_other_words(text: str, need: str) -> None:
    assert need in find_needs(text, build_phrase_index(Policy.load().concepts))


def test_of_phrases_that_begin_together_the_longest_counts() -> None:
    table = build_phrase_index({"care": ("extra",), "housing": ("extra care",)})
    assert find_needs("extra care and extra beds", table) == ["housing", "care"]


def test_statistics_do_not_depend_on_order_and_survive_a_file(tmp_path: Path) -> None:
    plans = [plan(title=title, plan_id=f"{LEEDS}:{title}") for title in ("payroll", "payroll system", "salt", "salt")]
    built = build_statistics(plans, "mine")
    assert built == build_statistics(plans[::-1], "mine")
    assert built.words["payroll"] == 4
    assert "payroll system" not in built.words
    path = tmp_path / "statistics.json"
    path.write_text(built.dumps(), encoding="utf-8")
    assert Statistics.load(path) == built
    assert built.idf("never-seen") == built.idf("seen-once")


@pytest.mark.parametrize("content", ["", "{}", '{"name": "x", "documents": 2, "words": {"a": 3}}', "[]", '{"name": 1}'])
def test_broken_statistics_say_what_to_do(tmp_path: Path, content: str) -> None:
    path = tmp_path / "statistics.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(StatisticsError, match="jointly statistics build"):
        Statistics.load(path)


def test_shipped_statistics_hold_counts_only() -> None:
    shipped = Statistics.load()
    assert shipped.documents > 1000
    assert json.loads(shipped.dumps())["words"] == shipped.words
    assert max(len(word.split()) for word in shipped.words if not word.startswith("~")) == 2
