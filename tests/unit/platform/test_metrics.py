"""A process exports what it owns, each known series from 0 on; the known label values are all that the code uses."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from enum import StrEnum
from typing import Any, get_args

import pytest
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from events.coalitions import CoalitionStatus
from events.dead_letters import SPOOFING, DeadLetterReason
from events.responses import AnswerKind, MembershipAct
from events.topics import DEAD_CONTRACTS, DEAD_PLANS, DEAD_RESPONSES, TOPICS
from services.domain.coalition_answers import ResponseOutcome
from services.domain.notification_caps import Cap
from services.domain.notifications import (
    UNDELIVERED,
    WITHHELD,
    CancelReason,
    DeliveryFailure,
    NotificationChange,
    Purpose,
)
from services.platform import metrics
from services.platform.metrics import OWNERS, Process
from services.store import benchmark_notices, coalition_notices, plan_confirmations
from services.store.plan_log import RecordOutcome

DECLARED = [metric for metric in vars(metrics).values() if isinstance(metric, Counter | Gauge | Histogram)]
EXPORT = """
import sys
from prometheus_client import generate_latest
from services.platform import metrics

metrics.export(metrics.Process(sys.argv[1]))
sys.stdout.write(generate_latest().decode())
"""
OPEN = {"jointly_transient_errors"}
"""Counters with a label whose values are not known beforehand: names of exceptions, which no alert asks for."""


def _name(metric: Any) -> str:
    (family,) = metric.describe()
    return str(family.name)


@pytest.fixture(scope="module", params=list(Process))
def process(request: pytest.FixtureRequest) -> Process:
    return Process(request.param)


@pytest.fixture(scope="module")
def exported(process: Process) -> dict[str, list[Any]]:
    """What a process of this kind exports before anything has happened: the samples of each of our metrics."""
    done = subprocess.run([sys.executable, "-c", EXPORT, process], capture_output=True, text=True, check=True)
    families = text_string_to_metric_families(done.stdout)
    ours = [family for family in families if re.fullmatch(r"jointly_\w+(?<!_created)", family.name)]
    return {family.name: family.samples for family in ours}


def test_each_metric_has_an_owner() -> None:
    assert {_name(metric) for metric in DECLARED} == {_name(metric) for metric in OWNERS}
    assert all(OWNERS.values())


def test_a_process_exports_what_it_owns_and_nothing_else(process: Process, exported: dict[str, list[Any]]) -> None:
    assert exported.keys() == {_name(metric) for metric, owners in OWNERS.items() if process in owners}


def test_each_known_series_of_a_counter_starts_at_zero(process: Process, exported: dict[str, list[Any]]) -> None:
    for metric, owners in OWNERS.items():
        if not isinstance(metric, Counter) or process not in owners or _name(metric) in OPEN:
            continue
        samples = [sample for sample in exported[_name(metric)] if sample.name.endswith("_total")]
        assert samples, f"{_name(metric)} has no series until something happens; declare its known label values"
        assert {sample.value for sample in samples} == {0.0}
        for label in metric._labelnames:
            assert {sample.labels[label] for sample in samples} == set(owners[process][label])


def test_a_gauge_that_is_measured_is_unknown_until_it_is(exported: dict[str, list[Any]]) -> None:
    for name in ("pending_plans", "outbox_age_seconds", "notifications_withheld", "dependency_up"):
        for sample in exported.get(f"jointly_{name}", []):
            assert math.isnan(sample.value), f"{name} is {sample.value} before anybody has measured it"


def _known(metric: Any, label: str) -> set[str]:
    return {value for known in OWNERS[metric].values() for value in known[label]}


def _values(kind: Any) -> set[str]:
    return set(kind) if isinstance(kind, type) and issubclass(kind, StrEnum) else set(get_args(kind))


def test_the_known_values_are_all_there_are() -> None:
    assert _known(metrics.DEAD_LETTERS, "reason") == _values(DeadLetterReason)
    assert _known(metrics.SPOOFING, "reason") == SPOOFING
    assert _known(metrics.PLAN_OUTCOMES, "outcome") == _values(RecordOutcome) - {RecordOutcome.CONFLICT}
    assert _known(metrics.INTENTS, "purpose") == _values(Purpose)
    assert _known(metrics.EMAILS, "purpose") == _values(Purpose) | {
        coalition_notices.PURPOSE,
        benchmark_notices.PURPOSE,
        plan_confirmations.PURPOSE,
    }
    assert _known(metrics.INTENTS, "change") == _values(NotificationChange)
    # What is withdrawn before it is frozen in an email never comes to a preflight. Only emails have nothing left.
    never = {CancelReason.WITHDRAWN, CancelReason.NOTHING_LEFT}
    assert _known(metrics.INTENTS_CANCELLED, "reason") == _values(CancelReason) - never
    assert _known(metrics.NOTIFICATIONS_WITHHELD, "why") == set(WITHHELD)
    assert _known(metrics.EMAILS_WAITING, "state") == set(UNDELIVERED)
    assert _known(metrics.INTENTS_CAPPED, "cap") == _values(Cap)
    failed = {f"failed-{failure}" for failure in _values(DeliveryFailure)}
    assert _known(metrics.EMAILS, "outcome") == failed | {"sent", "temporary", "ambiguous", "cancelled"}
    relayed = {topic.name for topic in TOPICS if "services.relay" in topic.producers}
    # A plan that is set aside, and an answer that does not count, become dead letters by the outbox, in the transaction
    # that notes it.
    assert _known(metrics.EVENTS_OUT, "topic") == relayed | {DEAD_PLANS.name, DEAD_RESPONSES.name, DEAD_CONTRACTS.name}
    assert _known(metrics.COALITIONS, "status") == _values(CoalitionStatus)
    others = {
        "invited",
        "dates",
        "introduced",
        "undone",
        "decided",
        "route",
        "document",
        "enquiry",
        "convened",
        "delegated",
    }
    acts = _values(AnswerKind) | _values(MembershipAct) | others
    assert _known(metrics.RESPONSES_HANDLED, "kind") == acts
    assert _known(metrics.RESPONSES_HANDLED, "outcome") == _values(ResponseOutcome)
