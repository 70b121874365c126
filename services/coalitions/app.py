"""The coalitions process: reads opportunities, responses and contracts, and writes coalitions to the outbox."""

from functools import partial
from typing import Final

from events.topics import CONTRACTS_PATTERN, DEAD_OPPORTUNITIES, OPPORTUNITIES, RESPONSES_PATTERN
from services.coalitions.contract_handler import ContractHandler
from services.coalitions.opportunity_handler import OpportunityHandler
from services.coalitions.programme_metrics import measure_for_ever
from services.coalitions.response_handler import ResponseHandler
from services.coalitions.sweeper import sweep_for_ever
from services.messaging import consumer, consumer_health, consumer_metrics, dead_letter_queue, kafka
from services.platform import metrics, service
from services.platform.dependencies import Dependencies
from services.platform.settings import Settings
from services.store.database import database_responds, make_engine, make_sessions

GROUP: Final = "jointly-coalitions"
RESPONSES_GROUP: Final = "jointly-coalitions-responses"
CONTRACTS_GROUP: Final = "jointly-coalitions-contracts"


def run(settings: Settings) -> None:
    """Run one coalitions process until a signal."""
    service.start_logging("coalitions", settings)
    metrics.export(metrics.Process.COALITIONS)
    settings.need_kafka()
    settings.need_database()
    service.run_service(settings, partial(_make, settings))


async def _make(settings: Settings) -> service.ServiceParts:
    database = make_engine(settings.need_database())
    sessions = make_sessions(database)
    producer = kafka.make_producer(settings, "jointly-coalitions")
    broker = kafka.make_broker(settings, "jointly-coalitions")
    handler = ResponseHandler(sessions, settings, producer)
    contract_handler = ContractHandler(sessions, settings, producer)

    opportunities = consumer.consume(
        broker,
        settings,
        group=GROUP,
        handle=OpportunityHandler(sessions, settings).handle,
        refuse=partial(dead_letter_queue.dead_letter_unexpected, producer, DEAD_OPPORTUNITIES),
        topics=[OPPORTUNITIES.name],
    )
    responses = consumer.consume(
        broker,
        settings,
        group=RESPONSES_GROUP,
        handle=handler.handle,
        refuse=handler.refuse,
        pattern=RESPONSES_PATTERN,
    )
    contracts = consumer.consume(
        broker,
        settings,
        group=CONTRACTS_GROUP,
        handle=contract_handler.handle,
        refuse=contract_handler.refuse,
        pattern=CONTRACTS_PATTERN,
    )
    dependencies = Dependencies({"kafka": kafka.broker_responds(producer), "postgresql": database_responds(sessions)})
    states = (opportunities, responses, contracts)
    poll_seconds = settings.kafka_max_poll_interval_seconds
    return service.ServiceParts(
        broker=broker,
        live=[consumer_health.loop_advances(state, dependencies, poll_seconds) for state in states],
        ready=[
            *(consumer_health.has_assignment(state) for state in states),
            dependencies.answers("kafka"),
            database_responds(sessions),
            *(consumer_health.partitions_advance(state) for state in states),
        ],
        note=consumer_health.oldest_unhandled_note(*states),
        on_startup=[producer.start],
        background=[
            dependencies.watch_for_ever,
            partial(consumer_metrics.measure_for_ever, opportunities, "coalitions"),
            partial(consumer_metrics.measure_for_ever, responses, "coalitions-responses"),
            partial(consumer_metrics.measure_for_ever, contracts, "coalitions-contracts"),
            lambda: sweep_for_ever(sessions, settings),
            lambda: measure_for_ever(sessions, settings),
        ],
        on_shutdown=[producer.stop, database.dispose],
    )
