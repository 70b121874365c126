"""One id from plan to email: the plan event's id is in every event, row and log line that follows from it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from events.cloudevents import decode
from events.notifications import NOTIFICATION_PAYLOADS, NotificationOutcome
from events.opportunities import OPPORTUNITY_PAYLOADS
from events.topics import NOTIFICATIONS, OPPORTUNITIES
from services.cli import application
from services.ingest.event_publisher import plan_event
from services.local_stack.mail_sink import MailSink
from services.platform.settings import settings
from tests.conftest import AnyBroker
from tests.pipeline import pipeline, records_of
from tests.support.payroll_plans import BARNET, LEEDS, as_update, enrol, plan


def lines(folder: Path, event: str) -> list[dict[str, Any]]:
    """Every log line of a run that says `event`."""
    found = [
        line for file in folder.glob("*.log") for line in file.read_text("utf-8").splitlines() if line.startswith("{")
    ]
    return [line for line in map(json.loads, found) if line["event"] == event]


def traced(event_id: str, *options: str) -> tuple[int, str]:
    settings.cache_clear()
    done = CliRunner().invoke(application("trace"), ["trace", event_id, *options])
    settings.cache_clear()
    return done.exit_code, done.output


def test_a_plan_event_can_be_followed_to_the_mails(
    broker: AnyBroker, database_url: str, mailbox: MailSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrol(database_url, LEEDS, BARNET)
    first, second = plan("HR-1"), plan("P-9", BARNET)
    cause, update = plan_event(second).id, plan_event(as_update(second, 2, title="Payroll and HR system")).id
    with pipeline(broker.bootstrap, database_url, tmp_path, mailbox.url) as line:
        for name in ("matcher", "relay", "notifier"):
            line.start(name, JOINTLY_LOG_LEVEL="INFO")
        line.publish([first])
        line.until(lambda: line.drained(1), "the first plan assessed")
        line.publish([second])
        line.until(lambda: len(mailbox.paths()) == 2, "a mail to each of the two")
        line.until(lambda: line.drained(2) and len(lines(tmp_path, "email")) == 2, "all said and written down")
        line.publish([as_update(second, 2, title="Payroll and HR system")])
        line.until(lambda: line.drained(3), "the update assessed")

    opportunity, updated = (
        decode(record.headers, record.value, OPPORTUNITY_PAYLOADS)
        for record in records_of(broker.bootstrap, OPPORTUNITIES.name)
    )
    assert opportunity.causation_id == cause
    assert updated.causation_id == update
    for record in records_of(broker.bootstrap, NOTIFICATIONS.name):
        outcome = decode(record.headers, record.value, NOTIFICATION_PAYLOADS)
        assert outcome.causation_id == cause
        assert isinstance(outcome.payload, NotificationOutcome)
        assert [told.causation_id for told in outcome.payload.opportunities] == [cause]

    published = [line for line in lines(tmp_path, "event published") if line["causation_id"] == cause]
    assert sorted(line["topic"] for line in published) == [NOTIFICATIONS.name] * 2 + [OPPORTUNITIES.name]
    assert [line["causation_id"] for line in lines(tmp_path, "intent")] == [cause] * 2
    assert [line["causation_ids"] for line in lines(tmp_path, "email")] == [[cause]] * 2

    monkeypatch.setenv("JOINTLY_DATABASE_URL", database_url)
    code, answer = traced(cause, "--json")
    assert code == 0
    steps = [json.loads(line) for line in answer.splitlines()]
    # The opportunity's row stands at what came later, and is on that event's way.
    assert [(step["part"], step["state"].split(" ")[0]) for step in steps] == [
        ("plan log", "superseded"),
        ("outbox", "published"),
        ("intent", "sent"),
        ("intent", "sent"),
        ("email", "sent"),
        ("email", "sent"),
        ("outbox", "published"),
        ("outbox", "published"),
    ]
    assert steps[1]["id"] == opportunity.id
    code, answer = traced(update, "--json")
    assert [json.loads(line)["part"] for line in answer.splitlines()] == ["plan log", "opportunity", "outbox"]
    code, answer = traced(cause)
    assert code == 0
    assert all(word in answer for word in ("plan log", "intent", "email", "P-9"))
    code, answer = traced("no-such-event")
    assert code == 1
    assert "dead-letters list" in answer
