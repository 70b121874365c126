"""`jointly opportunities` and `jointly explain` on a real database that the matcher has filled."""

import json
import subprocess
import sys
from typing import Any

import pytest

from events.plans import PlanUpdated, PlanWithdrawn
from services.platform.settings import settings
from tests.support.filled_database import BRADFORD, CAMDEN, KENT, LEEDS, Publish, plan, run


def explained(*words: str) -> dict[str, Any]:
    done = run("explain", *words, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def listed(*words: str) -> list[dict[str, Any]]:
    done = run("opportunities", *words, "--json")
    assert done.exit_code == 0, done.output
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_opportunities_are_listed_best_first_and_filtered(publish: Publish) -> None:
    other = {"title": "Grounds maintenance", "description": "Grass cutting and hedges", "cpv": ["77314000"]}
    publish(plan(LEEDS), plan(BRADFORD), plan(CAMDEN), plan(KENT, **other))
    found = listed()
    assert {tuple(sorted(s["authority"] for s in o["plans"])) for o in found} == {
        (BRADFORD, LEEDS),
        (LEEDS, CAMDEN),
        (BRADFORD, CAMDEN),
    }
    scores = [o["score"] for o in found]
    assert scores == sorted(scores, reverse=True)
    assert len(listed("--limit", "1")) == 1
    assert len(listed("--authority", CAMDEN)) == 2
    assert listed("--authority", KENT) == []
    band = found[0]["band"]
    assert [o["band"] for o in listed("--band", band)] == [o["band"] for o in found if o["band"] == band]
    assert listed("--status", "withdrawn") == []

    done = run("opportunities")
    assert done.stderr == "3 opportunities\n"
    names, *rows = (line.split("\t") for line in done.stdout.splitlines())
    assert names[:3] == ["id", "band", "score"]
    assert [row[0] for row in rows] == [o["opportunity_id"] for o in found]
    assert all("payroll" in row[3] for row in rows)

    publish(PlanWithdrawn(plan_id=f"{CAMDEN}:HR-1", revision=2, authority=CAMDEN))
    assert len(listed()) == 1
    assert len(listed("--status", "withdrawn")) == 2


def test_a_pair_is_explained_by_what_each_component_saw(publish: Publish) -> None:
    publish(plan(LEEDS), plan(BRADFORD))
    (opportunity,) = listed()
    said = explained(f"{LEEDS}:HR-1", f"{BRADFORD}:HR-1")
    assert said["band"] == opportunity["band"]
    assert said["score"] == opportunity["score"]
    assert said["opportunity"]["opportunity_id"] == opportunity["opportunity_id"]
    assert said["opportunity"]["status"] == "active"
    assert said["gates"] == []
    assert said["reasons"] == opportunity["reasons"]
    assert said["would_change"] == opportunity["would_change"]
    assert {name: part["value"] for name, part in said["components"].items()} == {
        name: part["value"] for name, part in opportunity["components"].items()
    }
    assert all(part["saw"] for part in said["components"].values())

    words = run("explain", f"{LEEDS}:HR-1", f"{BRADFORD}:HR-1").stdout
    assert "Both name CPV 48450000" in words
    # Nothing lifts a pair that is told at once.
    assert "What would change it" not in words
    assert "\nspecification " in words


def test_what_is_no_opportunity_is_explained_by_its_gates(publish: Publish) -> None:
    publish(plan(LEEDS), plan(BRADFORD, tender_window={"earliest": "2029-01-01", "latest": "2029-03-01"}))
    assert listed() == []
    said = explained(f"{LEEDS}:HR-1", f"{BRADFORD}:HR-1")
    assert said["band"] == "none"
    assert said["opportunity"] is None
    assert [gate["code"] for gate in said["gates"]] == ["no-common-window"]
    assert "no-common-window: Leeds" in run("explain", f"{LEEDS}:HR-1", f"{BRADFORD}:HR-1").stdout


def test_another_day_is_judged_as_that_day(publish: Publish) -> None:
    publish(plan(LEEDS), plan(BRADFORD))
    pair = (f"{LEEDS}:HR-1", f"{BRADFORD}:HR-1")
    assert explained(*pair)["as_of"] == "2026-11-22"
    late = explained(*pair, "--as-of", "2027-12-01")
    assert late["as_of"] == "2027-12-01"
    assert "closed" in {gate["code"] for gate in late["gates"]}
    assert late["opportunity"]["status"] == "active", "looking changes nothing"


def test_a_plan_is_explained_with_its_partners(publish: Publish) -> None:
    late = {"tender_window": {"earliest": "2029-01-01", "latest": "2029-03-01"}}
    publish(plan(LEEDS), plan(BRADFORD), plan(CAMDEN), plan(KENT, **late))
    said = explained(f"{LEEDS}:HR-1")
    assert said["plan"]["assessed"] is True
    assert (said["plan"]["status"], said["plan"]["revision"]) == ("active", 1)
    assert {partner["partner"] for partner in said["partners"]} == {f"{BRADFORD}:HR-1", f"{CAMDEN}:HR-1"}
    (gated,) = said["closest_gated"]
    assert gated["partner"] == f"{KENT}:HR-1"
    assert [gate["code"] for gate in gated["gates"]] == ["no-common-window"]
    assert len(explained(f"{LEEDS}:HR-1", "--limit", "1")["partners"]) == 1

    words = run("explain", f"{LEEDS}:HR-1").stdout
    assert "active, revision 1, planned, shared as open, assessed" in words
    assert "2 partners, best first:" in words
    assert "Alike, but no opportunity:" in words

    publish(PlanWithdrawn(plan_id=f"{LEEDS}:HR-1", revision=2, authority=LEEDS))
    withdrawn = explained(f"{LEEDS}:HR-1")
    assert withdrawn["plan"]["status"] == "withdrawn"
    assert withdrawn["partners"] == []


SECRET = "Zephyr payroll and HR system replacement"


@pytest.mark.parametrize("secretive", [LEEDS, BRADFORD])
def test_match_only_shows_who_when_where_and_the_band_alone(publish: Publish, secretive: str) -> None:
    closed = {"sharing": "match_only", "title": SECRET}
    publish(*(plan(code, **(closed if code == secretive else {})) for code in (LEEDS, BRADFORD)))
    said = explained(f"{LEEDS}:HR-1", f"{BRADFORD}:HR-1")
    assert set(said) == {
        "plan",
        "partner",
        "sharing",
        "band",
        "sides",
        "common_window",
        "nearest_move",
        "reasons",
        "as_of",
        "opportunity",
    }
    assert said["band"] in ("notify", "digest", "feed")
    assert all(
        set(side) == {"plan_id", "authority", "authority_name", "tender_window", "regions"} for side in said["sides"]
    )
    for words in (
        ("explain", f"{LEEDS}:HR-1", f"{BRADFORD}:HR-1"),
        ("explain", f"{LEEDS if secretive == BRADFORD else BRADFORD}:HR-1"),
        ("opportunities",),
    ):
        for end in ((), ("--json",)):
            shown = run(*words, *end).stdout
            assert "Zephyr" not in shown
            assert "48450000" not in shown
    for seen_by, shown_ids in ((None, set()), (LEEDS, {f"{LEEDS}:HR-1"}), (BRADFORD, {f"{BRADFORD}:HR-1"})):
        arguments = ("--authority", seen_by) if seen_by else ()
        (line,) = run("opportunities", "--json", *arguments).stdout.splitlines()
        payload = json.loads(line)
        assert {side["plan_id"] for side in payload["plans"] if side["plan_id"]} == shown_ids, "its own, nobody else's"
        assert [side["revision"] for side in payload["plans"]] == [None, None]
        assert payload["decide_by"] is None
    (partner,) = explained(f"{LEEDS}:HR-1")["partners"]
    assert partner["partner"] is None
    assert [side["plan_id"] for side in partner["sides"]] == [f"{LEEDS}:HR-1", None]
    (partner,) = explained(f"{LEEDS}:HR-1")["partners"]
    assert partner["reasons"] == [
        "One of the two authorities shares only that there is a match; ask each other for the details."
    ]


def test_a_match_only_plan_is_never_among_the_gated(publish: Publish) -> None:
    late = {"tender_window": {"earliest": "2029-01-01", "latest": "2029-03-01"}}
    publish(plan(LEEDS), plan(BRADFORD, sharing="match_only", **late))
    assert explained(f"{LEEDS}:HR-1")["closest_gated"] == []


def test_nothing_of_a_private_plan_is_shown(publish: Publish) -> None:
    publish(plan(LEEDS), plan(BRADFORD, sharing="private", title=SECRET))
    said = explained(f"{LEEDS}:HR-1", f"{BRADFORD}:HR-1")
    assert set(said) == {"plan", "partner", "sharing", "band", "reasons", "as_of"}
    assert said["band"] == "none"
    assert "Zephyr" not in run("explain", f"{LEEDS}:HR-1", f"{BRADFORD}:HR-1").stdout
    alone = explained(f"{LEEDS}:HR-1")
    assert (alone["partners"], alone["closest_gated"]) == ([], [])
    own = explained(f"{BRADFORD}:HR-1")
    assert (own["partners"], own["closest_gated"]) == ([], [])


@pytest.mark.parametrize("withdrawn_first", [False, True])
def test_a_plan_closed_later_is_hidden_from_withdrawn_pairs(publish: Publish, withdrawn_first: bool) -> None:
    publish(plan(LEEDS), plan(BRADFORD, title=SECRET))
    assert "Zephyr" in run("opportunities").stdout
    if withdrawn_first:
        publish(PlanWithdrawn(plan_id=f"{LEEDS}:HR-1", revision=2, authority=LEEDS))
    hidden = plan(BRADFORD, title=SECRET, sharing="private").model_dump() | {"revision": 2}
    publish(PlanUpdated.model_validate(hidden))
    assert listed() == []
    assert len(listed("--status", "withdrawn")) == 1
    assert "Zephyr" not in run("opportunities", "--status", "withdrawn", "--json").stdout


def test_a_title_can_not_steer_the_terminal(publish: Publish) -> None:
    turned = "HR and payroll \u202esystem\u2066\u200b\x85 replacement"
    publish(plan(LEEDS, title=turned), plan(BRADFORD))
    for words in (("opportunities",), ("explain", f"{LEEDS}:HR-1"), ("explain", f"{LEEDS}:HR-1", f"{BRADFORD}:HR-1")):
        shown = run(*words).stdout
        assert "payroll" in shown
        assert not {"\u202e", "\u2066", "\u200b", "\x85", "\x1b"} & set(shown)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("explain", f"{LEEDS}:HR-1", f"{KENT}:NONE"), f"there is no plan {KENT}:NONE"),
        (("explain", f"{LEEDS}:HR-1", f"{LEEDS}:HR-1"), "a plan can't be its own partner"),
        (("explain", f"{CAMDEN}:GONE"), "only its end was ever published"),
    ],
    ids=["unknown", "itself", "withdrawn before it was seen"],
)
def test_what_can_not_be_explained_is_said_in_a_sentence(
    publish: Publish, words: tuple[str, ...], sentence: str
) -> None:
    publish(plan(LEEDS), PlanWithdrawn(plan_id=f"{CAMDEN}:GONE", revision=2, authority=CAMDEN))
    done = run(*words)
    assert done.exit_code == 1
    assert sentence in done.stderr


def test_a_new_database_says_what_to_do(publish: Publish) -> None:
    done = run("explain", f"{LEEDS}:HR-1")
    assert done.exit_code == 1
    assert "the database has no plans yet" in done.stderr
    assert run("opportunities").stderr == "0 opportunities\n"


def test_a_database_without_tables_says_what_to_do(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOINTLY_DATABASE_URL", empty_database_url)
    settings.cache_clear()
    try:
        done = run("opportunities")
    finally:
        settings.cache_clear()
    assert done.exit_code == 5
    assert "run `jointly migrate`" in done.stderr


def test_another_policy_than_the_databases_is_said(
    publish: Publish, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    from matching import policy

    publish(plan(LEEDS), plan(BRADFORD))
    mine = tmp_path / "policy.toml"
    text = (policy.Path(policy.__file__).parent / "policy.toml").read_text("utf-8")
    mine.write_text(text.replace("\nversion = ", "\nversion = 'other' #", 1), "utf-8")
    monkeypatch.setenv("JOINTLY_POLICY_FILE", str(mine))
    settings.cache_clear()
    done = run("explain", f"{LEEDS}:HR-1", f"{BRADFORD}:HR-1")
    assert done.exit_code == 0, done.output
    assert "this explanation uses policy other" in done.stderr


def test_looking_loads_no_model(publish: Publish) -> None:
    publish(plan(LEEDS), plan(BRADFORD))
    code = (
        "import sys; from services.cli import application\n"
        f"sys.argv = ['jointly', 'explain', '{LEEDS}:HR-1', '--json']\n"
        "try: application('explain')()\n"
        "finally: print(sorted({'torch', 'sentence_transformers', 'faststream'} & sys.modules.keys()), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["partners"]
    assert done.stderr.splitlines()[-1] == "[]"
