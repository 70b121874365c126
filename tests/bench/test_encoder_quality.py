"""The faster encoder finds what the reference finds: the numbers of `jointly evaluate` with both, side by side."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from matching.encoders.loading import load_embedder
from matching.engine import Engine
from services.cli.evaluate import numbers_of, ranked, read_judgements
from services.cli.offline import read_plans

DATA = Path(__file__).parents[2].parent / "shared" / "data"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.model,
    pytest.mark.skipif(find_spec("openvino") is None, reason="the extra `fast` is not installed"),
    pytest.mark.skipif(not (DATA / "judgements-dev.json").is_file(), reason="no judged plans beside the repository"),
]


def test_the_quality_numbers_are_the_references(tmp_path: Path) -> None:
    from services.cli.encoder import make

    make(tmp_path / "encoder")
    plans, judged = read_plans(DATA / "plans.jsonl"), read_judgements(DATA / "judgements-dev.json")
    found = []
    for embedder in (load_embedder(), load_embedder(str(tmp_path / "encoder"))):
        engine = Engine.load(model=embedder.model)
        found.append(numbers_of(ranked(engine, plans, judged, embedder, tmp_path / "cache.sqlite"), judged))
    reference, faster = found
    for number in ("ndcg@10", "p@1", "recall@10", "ap"):
        assert faster[number] == pytest.approx(reference[number], abs=0.005), number
