"""The whole way, on real processes: plans in, opportunities out, mails received; killed, and told rubbish."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from events.cloudevents import encode
from events.dead_letters import DEAD_LETTER_PAYLOADS, DeadLetterReason
from events.opportunities import OPPORTUNITY_PAYLOADS
from events.plans import PlanAwarded, PlanPublished, PlanUpdated, PlanWithdrawn
from events.topics import DEAD_PLANS, OPPORTUNITIES, PLANS, authority_topic
from services.ingest.event_publisher import plan_event
from services.local_stack.mail_sink import MailSink
from services.messaging import topic_admin
from tests.conftest import AnyBroker
from tests.pipeline import Pipeline, all_pairs, invented_plans, payloads_of, pipeline, send_raw, send_unreadable
from tests.support.payroll_plans import BARNET, LEEDS, as_update, enrol, plan


def recipients(mailbox: MailSink) -> Counter[str]:
    return Counter(str(mail["X-Envelope-To"]) for mail in mailbox.mails())


def test_from_a_published_plan_to_a_received_mail(
    broker: AnyBroker, database_url: str, mailbox: MailSink, tmp_path: Path
) -> None:
    enrol(database_url, LEEDS, BARNET)
    with pipeline(broker.bootstrap, database_url, tmp_path, mailbox.url) as line:
        for name in ("matcher", "relay", "notifier"):
            line.start(name)
        line.publish([plan("HR-1"), plan("P-9", BARNET)])
        line.until(lambda: len(mailbox.paths()) == 2, "a mail to each of the two")
        assert set(recipients(mailbox)) == {f"buyers@{code.lower()}.example" for code in (LEEDS, BARNET)}
        body = mailbox.mails()[0].get_body(("plain",))
        assert body is not None
        assert "HR and payroll system" in body.get_content()

        line.publish([PlanWithdrawn(plan_id=f"{BARNET}:P-9", revision=2, authority=BARNET, reason="No longer needed")])
        line.until(lambda: len(mailbox.paths()) == 3, "a correction to the other")
        assert recipients(mailbox)[f"buyers@{BARNET.lower()}.example"] == 1, "nobody is told of its own act"
        assert line.active() == {}
        told = payloads_of(broker.bootstrap, OPPORTUNITIES.name, OPPORTUNITY_PAYLOADS)
        assert [(state.status, state.material_revision) for state in told] == [("active", 1), ("withdrawn", 2)]


def test_what_becomes_of_a_plan_becomes_of_its_opportunities(
    broker: AnyBroker, database_url: str, tmp_path: Path
) -> None:
    with pipeline(broker.bootstrap, database_url, tmp_path) as line:
        line.start("matcher")
        line.start("relay")
        ours, theirs = plan("HR-1"), plan("P-9", BARNET)

        def step(payload: PlanPublished | PlanUpdated | PlanWithdrawn | PlanAwarded, revisions: int) -> int:
            line.publish([payload])
            line.until(lambda: line.drained(revisions), f"revision {payload.revision} of {payload.plan_id}")
            return len(line.active())

        assert step(ours, 1) == 0
        assert step(theirs, 2) == 1
        assert step(as_update(theirs, 2, stage="tendering"), 3) == 0, "closed to joiners"
        assert step(as_update(theirs, 3), 4) == 1, "found again"
        assert step(as_update(theirs, 4, sharing="private"), 5) == 0, "not shared"
        assert step(as_update(theirs, 5, sharing="match_only"), 6) == 1
        assert step(PlanAwarded(plan_id=theirs.plan_id, revision=6, authority=BARNET), 7) == 0
        states = payloads_of(broker.bootstrap, OPPORTUNITIES.name, OPPORTUNITY_PAYLOADS)
        assert [state.revision for state in states] == list(range(1, len(states) + 1)), "one history, not two"
        private = states[3].model_dump_json()
        assert "payroll" not in private.lower(), "a plan that turned private is named no more"
        match_only = states[4]
        assert (match_only.score, match_only.components, match_only.would_change) == (None, None, ())
        assert all((side.title, side.plan_id, side.revision) == (None, None, None) for side in match_only.plans)
        assert match_only.decide_by is None


# `make test-crash` and `make chaos` kill matchers in the gate, at more places.
@pytest.mark.slow
@pytest.mark.kafka
def test_a_killed_matcher_loses_and_doubles_nothing(
    apache_broker: AnyBroker, database_url: str, mailbox: MailSink, tmp_path: Path
) -> None:
    plans = invented_plans(600, subjects=120)
    enrol(database_url, *{item.authority for item in plans})
    with pipeline(apache_broker.bootstrap, database_url, tmp_path, mailbox.url, JOINTLY_MAX_POLL_RECORDS="16") as line:
        first, _ = line.start("matcher"), line.start("matcher")
        line.start("relay")
        line.start("notifier")
        line.publish(plans)
        line.until(lambda: line.sql("SELECT count(*) FROM plan_log")[0][0] > 60, "the middle")
        assert not line.drained(len(plans)), "the kill must come in the middle"
        line.kill(first)
        line.until(lambda: line.drained(len(plans)), "everything assessed by the one that is left")
        expected = all_pairs(plans)
        assert len(expected) > 100
        assert line.active() == expected
        line.until(lambda: all_told(line), "every intent decided")
        identities = [mail["Message-ID"] for mail in mailbox.mails()]
        assert len(identities) == len(set(identities)), "no mail twice"
        sent = line.sql(
            "SELECT opportunity_id, material_revision, authority, count(*) FROM notification_intents "
            "WHERE state = 'sent' GROUP BY 1, 2, 3 HAVING count(*) > 1"
        )
        assert sent == [], "nobody is told the same twice"


def all_told(line: Pipeline) -> bool:
    ((events,),) = line.sql("SELECT coalesce(sum(revision), 0) FROM opportunities")
    ((waiting,),) = line.sql(
        "SELECT count(*) FROM notification_intents WHERE state IN ('queued', 'sending') "
        "OR (state = 'pending' AND purpose = 'immediate')"
    )
    return bool(waiting == 0 and line.metric(line.running[-1], "jointly_events_in_total") >= events)


def test_bad_input_is_refused_with_its_reason_and_stops_nobody(
    broker: AnyBroker, database_url: str, tmp_path: Path
) -> None:
    good = plan("HR-1")
    message = encode(plan_event(good), good.plan_id)
    headers = list(message.headers)
    value = message.value

    def swapped(old: bytes, new: bytes) -> bytes:
        assert old in value
        return value.replace(old, new)

    def sent(body: bytes, topic: str = PLANS.name) -> tuple[str, bytes, list[tuple[str, bytes]], bytes]:
        return topic, b"k", headers, body

    bad = {
        "not JSON": (sent(b"{nonsense"), DeadLetterReason.NOT_JSON),
        "NaN": (sent(swapped(b"900000.0", b"NaN")), DeadLetterReason.NOT_JSON),
        "10 MB": (sent(swapped(b"Replacement", b"x" * 10_000_000)), DeadLetterReason.TOO_LARGE),
        "100,000 brackets": (sent(b"[" * 100_000), DeadLetterReason.NOT_JSON),
        "lone surrogate": (sent(swapped(b"Replacement", b"\\ud800")), DeadLetterReason.NOT_JSON),
        "another's plan id": (
            sent(swapped(LEEDS.encode() + b":", BARNET.encode() + b":")),
            DeadLetterReason.AUTHORITY_MISMATCH,
        ),
        "another's topic": (sent(value, authority_topic(BARNET)), DeadLetterReason.TOPIC_MISMATCH),
        "no CloudEvent": ((PLANS.name, b"k", [("note", b"\xff")], value), DeadLetterReason.NOT_CLOUDEVENT),
        "nothing": ((PLANS.name, b"k", headers, None), DeadLetterReason.NOT_CLOUDEVENT),
        "unknown type": (
            (PLANS.name, b"k", [(n, b"jointly.plan.v9" if n == "ce_type" else v) for n, v in headers], value),
            DeadLetterReason.UNKNOWN_TYPE,
        ),
        "no title": (sent(swapped(b"HR and payroll system", b" ")), DeadLetterReason.INVALID_PAYLOAD),
    }
    conflict = sent(swapped(b"6,000 staff", b"7,000 staff"))
    with pipeline(broker.bootstrap, database_url, tmp_path) as line:
        asyncio.run(topic_admin.create(line.settings, [BARNET]))
        matcher = line.start("matcher")
        line.start("relay")
        line.publish([good])
        line.until(lambda: line.drained(1), "the good plan")
        send_raw(broker.bootstrap, [record for record, _ in bad.values()] + [conflict])
        line.publish([plan("P-9", BARNET)])
        line.until(lambda: line.drained(2), "the plan behind the bad ones")
        wanted = Counter([reason for _, reason in bad.values()] + [DeadLetterReason.REVISION_CONFLICT])
        line.until(lambda: line.metric(matcher, "jointly_dead_letters_total") >= wanted.total(), "all of them refused")
        letters = payloads_of(broker.bootstrap, DEAD_PLANS.name, DEAD_LETTER_PAYLOADS)
        assert Counter(letter.reason for letter in letters) == wanted
        assert len(line.active()) == 1, "the good plans met all the same"
        large = next(letter for letter in letters if letter.reason == DeadLetterReason.TOO_LARGE)
        assert (large.complete, large.value, large.value_length > 10_000_000) == (False, None, True)
        assert peak_memory_mb(matcher.pid) < 600, "memory stays flat"


def test_a_record_that_the_client_can_not_read_stops_nobody(
    broker: AnyBroker, database_url: str, tmp_path: Path
) -> None:
    """A header whose name is not UTF-8 makes the Kafka client itself raise."""
    with pipeline(broker.bootstrap, database_url, tmp_path) as line:
        line.publish([plan(f"HR-{number}") for number in range(12)])
        send_unreadable(broker.bootstrap, PLANS.name, 2)
        line.publish([plan("P-9", BARNET), plan("P-10", BARNET)])
        matcher = line.start("matcher")
        line.start("relay")
        line.until(lambda: line.drained(14), "every plan, before and behind the unreadable ones")
        assert len(line.active()) == 24
        line.until(lambda: line.metric(matcher, "jointly_dead_letters_total") >= 2, "both refused")
        letters = payloads_of(broker.bootstrap, DEAD_PLANS.name, DEAD_LETTER_PAYLOADS)
        assert {letter.reason for letter in letters} == {DeadLetterReason.NOT_CLOUDEVENT}
        assert len({(letter.origin.partition, letter.origin.offset) for letter in letters}) == 2
        assert {(letter.value, letter.complete) for letter in letters} == {(None, False)}


def peak_memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        pytest.skip("peak memory is read from /proc, which this system does not have")
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
