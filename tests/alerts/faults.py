"""Each alert's fault: how it is caused and mended for real, on real parts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from events.plans import PlanWithdrawn
from events.topics import OPPORTUNITIES
from services.local_stack.feed_server import FeedServer, serving
from services.platform.clock import LONDON
from services.store import advisory_locks
from tests.alerts.ground import POISON, Ground, plan
from tests.support.feeds import day_of_releases

COPIES: Final = 11
Mend = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `cause` returns what mends it. `alerts` fire while it lasts, `later` ones only after it was mended;
    `labels`: which of an alert's series are meant. It lasts `seconds` at least."""

    name: str
    alerts: Sequence[str]
    cause: Callable[[Ground], Mend]
    later: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    patience_seconds: float = 300.0
    beside_others: bool = False
    """It takes long and disturbs no other: the next ones are caused meanwhile."""


def over() -> None:
    """Nothing to mend: it was an event, and it is over."""


def copies(ground: Ground) -> Mend:
    """One authority copies another's plan many times."""
    victim, copier = ground.code(), ground.code()
    subject = ground.authorities
    made = [plan(copier, f"COPY-{number}", subject) for number in range(COPIES)]
    ground.publish(plan(victim, "OWN", subject), *made)

    def withdraw() -> None:
        ground.publish(*(PlanWithdrawn(plan_id=one.plan_id, revision=2, authority=copier) for one in made))

    return withdraw


def probing(ground: Ground) -> Mend:
    """One authority's plans meet one that shares only the match, and are withdrawn at once."""
    hider, prober = ground.code(), ground.code()
    subject = ground.authorities
    made = [plan(prober, f"PROBE-{number}", subject) for number in range(COPIES)]
    hidden = plan(hider, "HIDDEN", subject).model_copy(update={"sharing": "match_only"})
    ground.publish(hidden, *made)
    ground.until(lambda: ground.matched(hidden.plan_id) >= COPIES, "the hidden plan's opportunities")
    ground.publish(*(PlanWithdrawn(plan_id=one.plan_id, revision=2, authority=prober) for one in made))
    return over


def garbage(ground: Ground) -> Mend:
    """A record that is no event."""
    ground.send(b"no event")
    return over


def forgery(ground: Ground) -> Mend:
    """A plan in the name of another authority."""
    ground.forge()
    return over


def poison(ground: Ground) -> Mend:
    """A plan whose scoring raises an error."""
    ground.pair(POISON)
    return over


def nobody(ground: Ground) -> Mend:
    """An opportunity of an authority without a mailbox."""
    _, other = ground.pair(registered=False)
    return lambda: ground.register(other, "buyers@late.example")


def refusal(ground: Ground) -> Mend:
    """A mailbox that the mail server does not know."""
    answers = ground.arena.mails.answers
    answers.recipients[_mailbox(ground.authorities + 1)] = "550 5.1.1 No such mailbox"
    ground.pair()
    return answers.reset


def no_mail(ground: Ground) -> Mend:
    """A mail server that takes nothing for now."""
    answers = ground.arena.mails.answers
    for number in (1, 2):
        answers.recipients[_mailbox(ground.authorities + number)] = "451 4.3.2 Try again later"
    ground.pair()
    return answers.reset


def _mailbox(authority: int) -> str:
    return f"buyers@e0790{authority:04d}.example"


def death(kind: str) -> Callable[[Ground], Mend]:
    """A process is killed, and nobody starts it again."""

    def cause(ground: Ground) -> Mend:
        ground.kill(kind)
        return lambda: ground.start(kind)

    return cause


def restarts(ground: Ground) -> Mend:
    """A relay that dies three times, each time after 20 seconds."""
    for _ in range(3):
        ground.kill("relay")
        ground.start("relay")
        time.sleep(20)
    return over


def hung_broker(ground: Ground) -> Mend:
    """A broker that keeps its connections and answers nothing."""
    ground.arena.kafka.pause()
    return ground.arena.kafka.resume


def no_database(ground: Ground) -> Mend:
    """PostgreSQL is shut down at once, and plans are published meanwhile."""
    ground.arena.stop_database()
    first, second = ground.code(), ground.code()
    ground.publish(plan(first, "D", ground.authorities), plan(second, "D", ground.authorities))
    return ground.arena.start_database


def no_topic(ground: Ground) -> Mend:
    """The opportunities' topic is gone, and there is something to publish."""
    ground.delete_topic(OPPORTUNITIES.name)
    ground.pair()
    return ground.create_topics


def unsigned_entry(ground: Ground) -> Mend:
    """An entry of the audit log from three hours ago. The relays have no key, so none signs it."""
    ground.arena.sql(
        "INSERT INTO audit_log (seq, at, action, subject, body, leaf)"
        " SELECT size, now() - interval '3 hours', 'answered', 'nothing', '', '' FROM audit_head"
    )

    def remove() -> None:
        # No ordinary session may delete an entry.
        ground.arena.sql("SET session_replication_role = replica; DELETE FROM audit_log WHERE subject = 'nothing'")

    return remove


def refused_purge(ground: Ground) -> Mend:
    """A right that the matchers lost: their purge may not delete notifications."""
    ground.arena.sql(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$;"
        " CREATE TRIGGER refuse BEFORE DELETE ON notification_intents EXECUTE FUNCTION refuse()"
    )
    ground.kill("matcher")
    ground.start("matcher")

    def mend() -> None:
        ground.arena.sql("DROP TRIGGER refuse ON notification_intents; DROP FUNCTION refuse")
        ground.kill("matcher")
        ground.start("matcher")

    return mend


def hung_session(ground: Ground) -> Mend:
    """A session that holds the generation's row, as a `jointly reassess` that hangs would: nothing can be settled."""
    connection: Any = psycopg.connect(ground.database_url.replace("+psycopg", ""))
    connection.execute("SELECT * FROM generation FOR UPDATE")
    ground.pair()
    return lambda: connection.close()


def held_coalitions(ground: Ground) -> Mend:
    """A session that holds the lock of coalitions and does not let go: no sweep of a new process ever ends."""
    connection: Any = psycopg.connect(ground.database_url.replace("+psycopg", ""))
    connection.execute("SELECT pg_advisory_lock(%s)", (advisory_locks.COALITIONS,))
    ground.kill("coalitions")
    ground.start("coalitions")
    return lambda: connection.close()


def lossy_feed(ground: Ground) -> Mend:
    """A feed that leaves a notice out, and soon answers no more."""
    yesterday = datetime.now(LONDON).replace(hour=0, minute=5, second=0) - timedelta(days=1)
    releases = day_of_releases(20, yesterday)
    del releases[7]
    with serving(FeedServer(releases)) as feed:
        settings = {"FIND_A_TENDER_URL": feed.base, "CONTRACTS_FINDER_URL": "", "COLLECT_PAUSE_SECONDS": "0"}
        ground.start("collector", **{f"JOINTLY_{name}": value for name, value in settings.items()})
        lost = re.compile(r"^jointly_feed_missing_notices{.*} [1-9]", re.MULTILINE)
        ground.until(lambda: lost.search(ground.metrics("collector")) is not None, "a round of the feed")
    return lambda: ground.kill("collector")


FAULTS: Final = (
    Fault(
        "eleven copies of a plan",
        ("NotificationsCapped", "MatchSpam"),
        copies,
        patience_seconds=900,
        beside_others=True,
    ),
    Fault(
        "plans made up to find a hidden one", ("MatchOnlyProbed",), probing, patience_seconds=900, beside_others=True
    ),
    Fault("a record that is no event", ("DeadLetters",), garbage, labels={"reason": "not-json"}),
    Fault("a plan in another's name", ("SpoofingAttempt",), forgery),
    Fault("scoring that raises", ("AssessmentErrors",), poison),
    Fault("an authority without a mailbox", ("NotificationsWithheld",), nobody),
    Fault("an unknown mailbox", ("EmailDeliveryFailures",), refusal),
    Fault("a mail server that takes nothing", ("MailServerDegraded",), no_mail, patience_seconds=420),
    Fault("a notifier killed", ("ProcessDown",), death("notifier"), labels={"job": "notifier"}),
    Fault("the only relay killed", ("RelayAbsent",), death("relay")),
    Fault("a relay killed three times", ("ProcessRestarts",), restarts, labels={"job": "relay"}),
    Fault("a broker that hangs", ("KafkaAway",), hung_broker),
    Fault("an entry of the audit log that nobody signs", ("AuditUnsigned",), unsigned_entry),
    Fault("a purge that may not delete", ("PurgeFailed",), refused_purge),
    Fault("a topic deleted", ("OutboxStuck",), no_topic),
    Fault(
        "a feed that loses a notice, then is away", ("FeedIncomplete", "FeedSilent"), lossy_feed, patience_seconds=420
    ),
    Fault(
        "a session that holds the coalitions' lock",
        ("CoalitionsNotSwept", "NotMeasured"),
        held_coalitions,
        patience_seconds=900,
        seconds=720,  # As shipped, the alerts wait ten minutes: the fault lasts until that has passed too.
    ),
    Fault("a session that holds the generation", ("PlansPending",), hung_session),
    Fault(
        "PostgreSQL stopped",
        ("PostgreSQLAway", "ConsumerBehind", "BatchesRewound"),
        no_database,
        later=("MatchingSlow",),
        seconds=330,
    ),
)
