"""A real process is killed, or stopped and woken again, at every cut of the way; another of its kind takes over.

The cut is made by the process itself, at a place and not at a time: see `arena.serve`.
"""

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from events.envelope import decode
from events.opportunities import OPPORTUNITY_PAYLOADS
from events.topics import DEAD_PLANS, OPPORTUNITIES
from services.embedded.mailbox import Mailbox
from tests.brokers import ApacheKafka
from tests.faults.arena import CONTEXT, enrol, serve
from tests.faults.stream import CANARIES, canary
from tests.pipeline import Pipeline, all_pairs, pipeline, records_of

pytestmark = pytest.mark.slow

CUTS = {
    "after Tx 1": ("matcher", "services.matcher.handling:match"),
    "before Tx 2": ("matcher", "services.matcher.matching:settle"),
    "in Tx 2, with its locks": ("matcher", "services.store.opportunities:by_ids"),
    "after Tx 2, before the offsets": ("matcher", "services.runtime.kafka:_commit"),
    "between outbox commit and publish": ("relay", "services.runtime.kafka:send"),
    "between publish and mark": ("relay", "services.store.outbox:mark_published"),
    "before the intents": ("notifier", "services.store.notifications:add"),
    "before SMTP DATA": ("notifier", "services.notifier.channels:Smtp.send"),
    "after SMTP DATA": ("notifier", "services.notifier.dispatch:record"),
}


@dataclass
class Crew:
    """Processes forked at once, on the parts of a pipeline."""

    line: Pipeline
    children: list[Any] = field(default_factory=list)

    def start(self, kind: str, cut: tuple[str, int] | None = None) -> Any:
        log = self.line.folder / f"{kind}-{len(self.children)}.log"
        environment = {**self.line.environment, "JOINTLY_HTTP_PORT": "0"}
        child = CONTEXT.Process(target=serve, args=(kind, environment, log, True, cut), daemon=True)
        child.start()
        self.children.append(child)
        return child

    def told(self) -> bool:
        """Whether everything is done: assessed, published, and every mail decided."""
        ((left,),) = self.line.sql(
            "SELECT count(*) FROM notification_intents WHERE state IN ('pending', 'queued', 'sending')"
        )
        ((mails,),) = self.line.sql("SELECT count(*) FROM notification_mails WHERE state NOT IN ('sent', 'failed')")
        ((intents,),) = self.line.sql("SELECT count(*) FROM notification_intents")
        return bool(self.line.drained(2) and intents and not left and not mails)


@pytest.fixture
def crew(apache_broker: ApacheKafka, database_url: str, mailbox: Mailbox, tmp_path: Path) -> Iterator[Crew]:
    asyncio.run(enrol(database_url))
    session = {"JOINTLY_KAFKA_SESSION_SECONDS": "2"}
    with pipeline(apache_broker.bootstrap, database_url, tmp_path, mailbox.url, **session) as line:
        made = Crew(line)
        yield made
        for child in made.children:
            child.kill()
            child.join()


def cut_off(child: Any, number: int) -> bool:
    """Whether the process has been killed, or stands still."""
    if number == signal.SIGKILL:
        return not child.is_alive()
    return Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.kafka
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
@pytest.mark.parametrize("place", CUTS)
def test_cut_off_on_its_way_nothing_is_lost_and_nobody_told_twice(
    crew: Crew, mailbox: Mailbox, place: str, number: signal.Signals
) -> None:
    if number == signal.SIGSTOP and not Path("/proc").exists():
        pytest.skip("whether a process stands still is read from /proc, which this system does not have")
    kind, function = CUTS[place]
    line = crew.line
    victim = crew.start(kind, (function, int(number)))
    for other in {"matcher", "relay", "notifier"} - {kind}:
        crew.start(other)
    states = [canary(plan_id, 1) for plan_id in CANARIES]
    line.publish(states)
    line.until(lambda: cut_off(victim, number), f"a {kind} cut off {place}")

    crew.start(kind)
    line.until(crew.told, "the other one to do what was left")
    if number == signal.SIGSTOP:
        os.kill(victim.pid, signal.SIGCONT)
    states[0] = canary(CANARIES[0], 2)
    line.publish(states[:1])
    line.until(lambda: line.drained(3) and crew.told(), "the next revision")

    assert line.active() == all_pairs(states)
    bootstrap = line.settings.kafka_bootstrap[0]
    records = records_of(bootstrap, OPPORTUNITIES.name, quiet_seconds=1)
    told = [decode(record.headers, record.value, OPPORTUNITY_PAYLOADS).payload for record in records]
    ((current,),) = line.sql("SELECT payload FROM opportunities")
    assert told[-1].model_dump(mode="json") == current, "the last record is the current one"
    assert {json.loads(record.value)["revision"] for record in records} == {1, 2}
    assert records_of(bootstrap, DEAD_PLANS.name, quiet_seconds=1) == [], "nothing good was refused"
    copies = Counter(str(mail["Message-ID"]) for mail in mailbox.mails())
    assert len(copies) == 2, "one mail to each of the two"
    unknown = dict(line.sql("SELECT message_id, ambiguities FROM notification_mails"))
    assert all(count <= 1 + unknown[identity] for identity, count in copies.items()), "again only after not knowing"
    assert "SMTP DATA" in place or set(unknown.values()) == {0}
