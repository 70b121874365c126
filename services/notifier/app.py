"""The notifier process: reads opportunity events, sends emails, and writes their outcomes to the outbox."""

from functools import partial
from typing import Final

from aiokafka import AIOKafkaProducer

from events.topics import COALITIONS, DEAD_COALITIONS, DEAD_OPPORTUNITIES, OPPORTUNITIES
from services.domain.links import LinkMaker
from services.domain.notification_caps import Caps
from services.domain.notifications import UNDELIVERED, WITHHELD
from services.messaging import consumer, consumer_health, consumer_metrics, dead_letter_queue, kafka
from services.notifier import channels, event_handler
from services.notifier.coalition_handler import CoalitionEvents
from services.notifier.confirmations import ask_for_ever
from services.notifier.context import DispatchContext
from services.notifier.dispatch import DispatchLoop
from services.notifier.rendering.email_message import Sender, sender
from services.notifier.search_news import look_for_ever
from services.platform import logs, metrics, retry, service
from services.platform.dependencies import Dependencies
from services.platform.settings import PREFIX, Settings, SettingsError
from services.store import deliveries, intents
from services.store.authorities import AddressError
from services.store.database import Sessions, database_responds, make_engine, make_sessions, now
from services.store.framework_index import FrameworkIndex

GROUP: Final = "jointly-notifier"
COALITIONS_GROUP: Final = "jointly-notifier-coalitions"
ALIVE_SECONDS: Final = 900.0
"""A round with a slow mail server takes long. The loop counts as stuck only well after every timeout."""
MEASURE_SECONDS: Final = 10.0

log: Final = logs.get(__name__)


def run(settings: Settings) -> None:
    """Run one notifier until a signal."""
    service.start_logging("notifier", settings)
    metrics.export(metrics.Process.NOTIFIER)
    settings.need_kafka()
    settings.need_database()
    channel, who = channels.smtp_from_url(settings.need_smtp()), make_sender(settings)
    service.run_service(settings, partial(_make, settings, channel, who))


def make_sender(settings: Settings) -> Sender:
    """Build the sender of all emails. Raises SettingsError if the setting is not a mailbox."""
    try:
        return sender(settings.mail_from, settings.public_url)
    except AddressError as error:
        raise SettingsError(
            f"{PREFIX}MAIL_FROM {error}. Set it to a mailbox that is read: Name <mailbox@domain>"
        ) from None


def make_links(settings: Settings) -> LinkMaker | None:
    """Build the links to the pages; None if the installation has no pages."""
    if not settings.public_url or not settings.link_secret.get_secret_value():
        return None
    return LinkMaker(settings.public_url.rstrip("/"), tuple(settings.need_link_secrets()))


async def _make(settings: Settings, channel: channels.Channel, who: Sender) -> service.ServiceParts:
    database = make_engine(settings.need_database())
    sessions = make_sessions(database)
    producer = kafka.make_producer(settings, "jointly-notifier")
    broker = kafka.make_broker(settings, "jointly-notifier")
    caps = Caps(settings.max_matches_per_plan, settings.max_matches_per_authority, settings.max_authorities_per_plan)
    dispatch = DispatchContext(
        sessions, channel, who, caps, links=make_links(settings), frameworks=FrameworkIndex(settings)
    )
    rounds = DispatchLoop(dispatch)

    state = consumer.consume(
        broker,
        settings,
        group=GROUP,
        handle=_handle_opportunities(sessions, settings, producer),
        refuse=partial(dead_letter_queue.dead_letter_unexpected, producer, DEAD_OPPORTUNITIES),
        topics=[OPPORTUNITIES.name],
    )
    refuse_coalition = partial(dead_letter_queue.dead_letter, producer, DEAD_COALITIONS)
    groups = consumer.consume(
        broker,
        settings,
        group=COALITIONS_GROUP,
        handle=CoalitionEvents(sessions, who, refuse_coalition, now).handle,
        refuse=partial(dead_letter_queue.dead_letter_unexpected, producer, DEAD_COALITIONS),
        topics=[COALITIONS.name],
    )
    dependencies = Dependencies({"kafka": kafka.broker_responds(producer), "postgresql": database_responds(sessions)})
    states, poll_seconds = (state, groups), settings.kafka_max_poll_interval_seconds
    return service.ServiceParts(
        broker=broker,
        live=[
            *(consumer_health.loop_advances(one, dependencies, poll_seconds) for one in states),
            dependencies.rounds(lambda: rounds.last, ALIVE_SECONDS, "no email has been looked for"),
        ],
        ready=[
            *(consumer_health.has_assignment(one) for one in states),
            dependencies.answers("kafka"),
            database_responds(sessions),
            *(consumer_health.partitions_advance(one) for one in states),
        ],
        note=consumer_health.oldest_unhandled_note(*states),
        on_startup=[producer.start],
        background=[
            dependencies.watch_for_ever,
            lambda: consumer_metrics.measure_for_ever(state, "notifier"),
            lambda: consumer_metrics.measure_for_ever(groups, "notifier-coalitions"),
            rounds.run_for_ever,
            lambda: ask_for_ever(dispatch),
            lambda: look_for_ever(dispatch),
            lambda: retry.repeat(lambda: _measure(sessions), MEASURE_SECONDS, "measuring failed", log),
        ],
        on_shutdown=[producer.stop, database.dispose],
    )


def _handle_opportunities(sessions: Sessions, settings: Settings, producer: AIOKafkaProducer) -> consumer.Handler:
    return partial(
        event_handler.handle,
        sessions=sessions,
        refuse=partial(dead_letter_queue.dead_letter, producer, DEAD_OPPORTUNITIES),
        clock=now,
        notify_batch_seconds=settings.notify_batch_seconds,
    )


async def _measure(sessions: Sessions) -> None:
    """Update the gauges of withheld notifications and waiting emails."""
    async with sessions() as session:
        held = await intents.withheld(session, now())
        waiting = await deliveries.waiting_mails(session, now())
    for why in WITHHELD:
        metrics.NOTIFICATIONS_WITHHELD.labels(why=why).set(sum(h.intents for h in held if h.why == why))
    for state in UNDELIVERED:
        metrics.EMAILS_WAITING.labels(state=state).set(waiting.get(state, 0))
