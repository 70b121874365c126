"""The declared topics are sane, and the parts they name exist and do use them."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from events import topics
from events.cloudevents import MAX_VALUE_BYTES
from events.dead_letters import MAX_STORED_BYTES, DeadLetter
from events.topics import (
    NOTICES,
    PAGE_PLANS,
    PAGE_RESPONSES,
    PLANS,
    PLANS_PATTERN,
    RESPONSES,
    RESPONSES_PATTERN,
    TOPICS,
    NotAnAuthorityTopicError,
    Topic,
    authority_of,
    authority_topic,
)

ROOT = Path(__file__).parents[2]
EXTERNAL = "external:"
PROCESSES = {f"services.{one}" for one in ("matcher", "coalitions", "notifier", "relay", "collector")}

STANDS_FOR = {
    "NOTICES": ("NOTICES", "PLANS_PATTERN"),
    "PAGE_PLANS": ("PAGE_PLANS", "PLANS_PATTERN"),
    "PLANS": ("PLANS", "PLANS_PATTERN", "authority_topic"),
    "RESPONSES": ("RESPONSES", "RESPONSES_PATTERN"),
    "PAGE_RESPONSES": ("PAGE_RESPONSES", "RESPONSES_PATTERN"),
    "CONTRACTS": ("CONTRACTS", "CONTRACTS_PATTERN"),
    **{
        name: (name,)
        for name in (
            "OPPORTUNITIES",
            "COALITIONS",
            "BENCHMARKS",
            "NOTIFICATIONS",
            "CHECKPOINTS",
            "DEAD_PLANS",
            "DEAD_OPPORTUNITIES",
            "DEAD_COALITIONS",
            "DEAD_RESPONSES",
            "DEAD_CONTRACTS",
        )
    },
}
"""The names of events.topics by which code means a topic."""

WRITES_BY_OUTBOX = {
    "OPPORTUNITIES": "services.matcher",
    "COALITIONS": "services.coalitions",
    "BENCHMARKS": "services.coalitions",
    "NOTIFICATIONS": "services.notifier",
    "CHECKPOINTS": "services.relay",
    "PAGE_PLANS": "services.application",
    "PAGE_RESPONSES": "services.application",
}
"""Who writes what the relay publishes: the relay itself sends whatever the outbox holds."""


def constant(topic: Topic) -> str:
    """The name under which events.topics holds a topic."""
    return next(name for name, value in vars(topics).items() if value is topic)


def parts(topic: Topic) -> set[str]:
    return {part for part in (*topic.producers, *topic.consumers) if not part.startswith(EXTERNAL)}


def modules(package: str) -> Iterator[Path]:
    yield from sorted((ROOT / package.replace(".", "/")).rglob("*.py"))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def uses(path: Path, name: str) -> bool:
    """Whether a module imports one of the names a topic goes by, and does more with it than that."""
    if "events.topics" not in path.read_text("utf-8"):
        return False
    tree = _tree(path)
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "events.topics"
        for alias in node.names
        if alias.name in STANDS_FOR[name]
    }
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return bool(imported & used)


def calls(package: str, function: str) -> bool:
    return any(
        isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == function
        for path in modules(package)
        for node in ast.walk(_tree(path))
    )


@pytest.mark.parametrize(
    "topic", [one for one in TOPICS if not one.name.startswith("dead-letters")], ids=lambda topic: topic.name
)
def test_the_architecture_picture_links_topics_to_processes(topic: Topic) -> None:
    before, after = re.split(
        rf"\w+\[\({re.escape(topic.name)}\)\]", (ROOT / "docs" / "architecture.md").read_text("utf-8")
    )
    written, read = before.splitlines()[-1], after.splitlines()[0]
    by = [part.removeprefix("services.") for part in topic.producers if part in PROCESSES]
    to = [part.removeprefix("services.") for part in topic.consumers if part in PROCESSES]
    assert all(f"{one} --" in written for one in by)
    assert all(re.search(rf"--> (\w+ & )*{one}\b", read) for one in to)


NAMED = [(topic, part) for topic in TOPICS for part in sorted(parts(topic))]


@pytest.mark.parametrize(("topic", "part"), NAMED, ids=lambda value: getattr(value, "name", value))
def test_a_part_that_a_topic_names_exists_and_uses_it(topic: Topic, part: str) -> None:
    assert find_spec(part) is not None, f"{topic.name} names {part}, which is not there"
    name = constant(topic)
    if part == "services.relay":
        assert calls("services.relay", "unpublished"), "the relay publishes what waits in the outbox"
        writer = WRITES_BY_OUTBOX[name]
        assert any(uses(path, name) for path in modules(writer))
        assert calls(writer, "to_outbox_row")
    else:
        assert any(uses(path, name) for path in modules(part)), f"nothing in {part} uses {name}"


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_nobody_uses_a_topic_that_does_not_name_him(topic: Topic) -> None:
    name = constant(topic)
    rooms = ("messaging", "platform", "store", "maintenance", "application", "local_stack", "cli")
    anywhere = {f"services.{room}" for room in rooms}
    known = parts(topic) | {WRITES_BY_OUTBOX.get(name, "")} | anywhere
    for path in modules("services"):
        package = ".".join(path.relative_to(ROOT).parts[:2]).removesuffix(".py")
        assert not uses(path, name) or package in known, f"{path.name} uses {name}, which does not name {package}"


def test_every_topic_is_declared_once_and_in_the_list() -> None:
    declared = [value for value in vars(topics).values() if isinstance(value, Topic)]
    assert len(declared) == len(TOPICS) == len({topic.name for topic in TOPICS})
    assert {constant(topic) for topic in TOPICS} == set(STANDS_FOR)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_says_what_a_broker_and_a_reader_have_to_know(topic: Topic) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*\.[a-z]+\.v\d+", topic.name)
    assert topic.about.endswith(".")
    assert 1 <= topic.partitions <= 64
    assert topic.producers
    assert topic.consumers
    assert set(topic.config) <= {"retention.ms", "cleanup.policy", "max.message.bytes"}
    assert ("retention.ms" in topic.config) != (topic.config.get("cleanup.policy") == "compact"), "kept for how long?"
    version = topic.name.rpartition(".")[2]
    assert all(payload.type.endswith(f".{version}") for payload in topic.payloads)  # type: ignore[attr-defined]
    if topic.payloads != (DeadLetter,):
        assert all(topic.key in payload.model_fields for payload in topic.payloads)
        assert all(payload.model_fields[topic.key].is_required() for payload in topic.payloads)


def test_an_event_type_belongs_to_one_family() -> None:
    # Plans from notices and from the pages are plans, and answers on the pages responses.
    kinds = [
        payload.type
        for topic in TOPICS
        if topic not in (NOTICES, PAGE_PLANS, PAGE_RESPONSES)
        for payload in topic.payloads
        if payload is not DeadLetter
    ]  # type: ignore[attr-defined]
    assert len(kinds) == len(set(kinds))


def test_an_oversized_record_fits_into_a_dead_letter() -> None:
    assert 2 * MAX_VALUE_BYTES < int(PLANS.config["max.message.bytes"]) <= 1024 * 1024
    for topic in TOPICS:
        if topic.payloads == (DeadLetter,):
            assert int(topic.config["max.message.bytes"]) > 2 * MAX_STORED_BYTES


def test_every_consumer_has_a_topic_for_dead_letters() -> None:
    families = {topic.name.split(".")[1] for topic in TOPICS if topic.name.startswith("dead-letters.")}
    read = {
        topic.name.split(".")[1]
        for topic in TOPICS
        if not topic.name.startswith("dead-letters.") and any(not c.startswith(EXTERNAL) for c in topic.consumers)
    }
    # Plans from notices are plans, and answers on the pages responses: one place has both.
    assert families == read - {"notices", "pages"}


@pytest.mark.parametrize(("family", "pattern"), [(PLANS, PLANS_PATTERN), (RESPONSES, RESPONSES_PATTERN)])
@pytest.mark.parametrize("authority", ["E09000015", "GB-PPON-PXYZ-1234-ABCD"])
def test_an_authority_topic_leads_back_to_its_authority(authority: str, family: Topic, pattern: str) -> None:
    assert re.match(pattern, authority_topic(authority, family))
    assert authority_of(authority_topic(authority, family), family) == authority
    assert authority_of(family.name, family) is None
    other = RESPONSES if family is PLANS else PLANS
    assert not re.match(pattern, authority_topic(authority, other))
    with pytest.raises(NotAnAuthorityTopicError, match="names no authority"):
        authority_of(authority_topic(authority, other), family)


@pytest.mark.parametrize(
    "topic",
    [
        "procurement.plans.v1.",
        "procurement.plans.v1.E09000015.x",
        "procurement.plans.v1.-",
        "procurement.plans.v1.E09000015\n",
        "procurement.plans.v1.*",
        "procurement.plans.v1.e09000015",
        "procurement.plans.v11",
        "procurement.plans.v2.E09000015",
    ],
)
def test_a_topic_that_names_no_authority_is_told_apart(topic: str) -> None:
    with pytest.raises(NotAnAuthorityTopicError, match="names no authority"):
        authority_of(topic)


@pytest.mark.parametrize(
    "name", ["procurement.plans.v1x", "dead-letters.plans.v1", "x.procurement.plans.v1", "procurement.plans.v10"]
)
def test_the_pattern_takes_no_other_topic(name: str) -> None:
    assert not re.match(PLANS_PATTERN, name)
