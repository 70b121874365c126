"""The scorer: fitted to judged pairs, written to a file, read back, refused where it is none."""

import json
import math
import random
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from matching import fitting, scorer
from matching.fitting import Example
from matching.policy import Policy, PolicyError
from matching.scorer import NATURES, READINESS_LIMIT, Scorer, ScorerError, SignalWeights
from tests.unit.matching.builders import LEEDS, YORK, engine, features, plan
from tests.unit.matching.offline import payload, run

NATURE = {
    "payroll software": "software",
    "grass cutting": "service",
    "insurance cover": "finance",
    "bus services": "service",
    "agile delivery team": "role",
}
SUBJECTS = tuple(NATURE)


def examples(count: int, seed: int = 1) -> list[Example]:
    """Pairs of plans in few words: signed where the subject is one, but for teams."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        subjects = rng.choice(SUBJECTS), rng.choice(SUBJECTS)
        one, other = (
            features(plan(authority, f"{subject} {rng.randrange(9)}", plan_id=f"{authority}:{number}", description=""))
            for authority, subject in zip((LEEDS, YORK), subjects, strict=True)
        )
        sign = subjects[0] == subjects[1] != "agile delivery team"
        natures = tuple(
            {"payroll software": "software", "agile delivery team": "role"}.get(s, "service") for s in subjects
        )
        found.append(Example(one, other, float(sign), natures=(natures[0], natures[1])))
    return found


@pytest.fixture(scope="module")
def fitted() -> Scorer:
    return fitting.fit(examples(300), Policy.load(), "test")


def test_a_fit_tells_what_readers_sign(fitted: Scorer) -> None:
    unseen = examples(120, seed=2)
    logits = fitting.logits_of(unseen, replace(Policy.load(), scorer=fitted))
    right = [(z > 0) == bool(e.sign) for z, e in zip(logits, unseen, strict=True)]
    assert np.mean(right) > 0.95
    teams = features(plan(LEEDS, "agile delivery team", description=""))
    software = features(plan(LEEDS, "payroll software", description=""))
    assert fitted.readiness_of(teams.title_terms, teams.concepts) < fitted.readiness_of(
        software.title_terms, software.concepts
    )
    likely = fitted.nature_of(teams.title_terms, teams.all_terms, teams.concepts)
    assert math.isclose(sum(likely), 1.0)
    assert NATURES[likely.index(max(likely))] == "role"


def test_no_signal_counts_against(fitted: Scorer) -> None:
    weights = {f.name: getattr(fitted.weights, f.name) for f in fields(SignalWeights)}
    assert all(value >= 0 for name, value in weights.items() if name != "intercept")
    assert all(0 <= share <= 1 for share in (*fitted.needs.values(), *fitted.natures))


def test_a_fit_does_not_depend_on_the_order_of_pairs(fitted: Scorer) -> None:
    again = fitting.fit(examples(300)[::-1], Policy.load(), "test")
    for f in fields(SignalWeights):
        assert getattr(again.weights, f.name) == pytest.approx(getattr(fitted.weights, f.name), abs=0.05)


def test_calibration_mends_scores_that_are_too_sure() -> None:
    rng = np.random.default_rng(1)
    truth = rng.normal(size=4000)
    signs = rng.random(4000) < 1 / (1 + np.exp(-truth))
    slope, offset = fitting.calibration_of(3 * truth + 1, signs)
    assert slope == pytest.approx(1 / 3, abs=0.03)
    assert offset == pytest.approx(-1 / 3, abs=0.08)


def test_parts_keep_plans_apart() -> None:
    every = examples(200)
    for seen, test in fitting.folds(every, 5, seed=0):
        ids = [{f.plan.plan_id for e in part for f in (e.a, e.b)} for part in (seen, test)]
        assert not ids[0] & ids[1]


def test_a_scorer_is_read_as_it_was_written(fitted: Scorer) -> None:
    text = scorer.dumps("mine", {"made by": "a test"}, fitted)
    read = Scorer.loads(text, "a file")
    assert read.version.startswith("mine+")
    assert scorer.dumps("mine", {"made by": "a test"}, read) == text
    assert read.weights.dense == pytest.approx(fitted.weights.dense, abs=1e-4)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"weights": {}}, "make one with `jointly fit`"),
        ({"natures": [1.0]}, "must hold 11 numbers"),
        ({"needs": {"payroll": 1.5}}, "must lie between 0 and 1"),
        ({"readiness": {"team": float("nan")}}, "must lie between -100 and 100"),
        ({"name": None, "nature_words": 3}, "make one with `jointly fit`"),
    ],
)
def test_a_file_that_is_no_scorer_is_refused(
    fitted: Scorer, tmp_path: Path, change: dict[str, object], says: str
) -> None:
    content = json.loads(scorer.dumps("mine", {}, fitted)) | change
    path = tmp_path / "scorer.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ScorerError, match=says.replace("`", ".")):
        Scorer.load(path)


def test_a_weight_below_nought_is_refused(fitted: Scorer) -> None:
    content = json.loads(scorer.dumps("mine", {}, fitted))
    content["weights"]["dense"] = -1
    with pytest.raises(ScorerError, match=r"weights\.dense must be 0 or more"):
        Scorer.loads(json.dumps(content), "a file")


def test_readiness_is_bounded(fitted: Scorer) -> None:
    loud = replace(fitted, readiness={"team": -90.0, "~payroll": 90.0})
    assert loud.readiness_of({"team": 1.0}, {}) == -READINESS_LIMIT
    assert loud.readiness_of({}, {"payroll": 1.0}) == READINESS_LIMIT


def test_another_scorer_is_another_generation(fitted: Scorer) -> None:
    other = Policy.load(scorer=Scorer.loads(scorer.dumps("mine", {}, fitted), "a file"))
    assert other.version != engine().policy.version


def test_a_policy_file_may_name_its_scorer(fitted: Scorer, tmp_path: Path) -> None:
    shipped = Path(scorer.__file__).with_name("policy.toml").read_text(encoding="utf-8")
    policy = tmp_path / "policy.toml"
    policy.write_text('scorer = "own.json"\n' + shipped, encoding="utf-8")
    with pytest.raises(PolicyError, match=r"cannot read the scorer file .*own\.json"):
        Policy.load(policy)
    (tmp_path / "own.json").write_text(scorer.dumps("own", {}, fitted), encoding="utf-8")
    assert Policy.load(policy).scorer.version.startswith("own+")
    assert Policy.load(policy, Scorer.load()).scorer is Scorer.load()


def test_the_command_writes_a_scorer_that_scores(tmp_path: Path) -> None:
    plans, pairs = [], []
    for number in range(120):
        plans += [payload(authority, number, SUBJECTS[number % 4]) for authority in (LEEDS, YORK)]
        other = (number + number % 2) % 120
        pairs.append({"a": f"{LEEDS}:{number}", "b": f"{YORK}:{other}", "sign": number % 4 == other % 4})
    (tmp_path / "plans.jsonl").write_text("\n".join(map(json.dumps, plans)), encoding="utf-8")
    (tmp_path / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)), encoding="utf-8")
    given = ("--plans", "@plans.jsonl", "--pairs", "@pairs.jsonl", "--model", "hashing", "--cache", "@cache.sqlite")
    done = run("fit", tmp_path, *given, "--output", "@own.json", "--name", "ours", "--seeds", "1", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["all"]["ap"] > 0.9
    assert Scorer.load(tmp_path / "own.json").version.startswith("ours+")
    unknown = run("fit", tmp_path, *given, "--pairs", "@none.jsonl", "--output", "@own.json")
    assert unknown.exit_code == 2
