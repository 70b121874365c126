"""Answers flow while coalitions processes die, and the coalitions are those of one that never stopped."""

from pathlib import Path

import pytest

from tests.brokers import unavailable
from tests.chaos.answers import run

SECONDS = 40.0


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.kafka
def test_coalitions_are_those_of_a_process_that_never_stopped(tmp_path: Path) -> None:
    if reason := unavailable():
        pytest.skip(reason)
    report = run(1, SECONDS, lambda _: None, tmp_path)
    assert report["ok"], report
    assert report["outcomes"].get("recorded", 0) >= 5, report
    assert report["routes"] >= 1, report
    assert report["faults"].get("kill coalitions", 0) >= 2, report
