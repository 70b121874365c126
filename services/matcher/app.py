"""The matcher process: reads plan events and writes opportunities to the outbox."""

import asyncio
from collections.abc import Callable
from functools import partial

from threadpoolctl import threadpool_limits

from events.topics import PLANS_PATTERN
from matching.corpus_statistics import Statistics
from matching.embedding import Embedder
from matching.encoders.loading import load_embedder
from matching.encoders.worker_process import load_in_subprocess
from matching.engine import Engine
from matching.policy import Policy
from services.matcher.batch_handler import Matcher
from services.matcher.context import MatcherContext
from services.matcher.database_metrics import measure_for_ever
from services.matcher.purge import RetentionRules, purge_for_ever
from services.matcher.settlement import WrongGenerationError
from services.matcher.sweeper import sweep_for_ever
from services.messaging import consumer, consumer_health, consumer_metrics, kafka
from services.platform import metrics, service
from services.platform.dependencies import Dependencies
from services.platform.settings import Settings, limits_threads
from services.store import generation
from services.store.database import Sessions, database_responds, make_engine, make_sessions, transaction

GROUP = "jointly-matcher"


def make_context(settings: Settings, load: Callable[[str], Embedder] = load_embedder) -> MatcherContext:
    """Load the engine with the settings' policy, statistics and model. The index is still empty."""
    embedder = load(settings.embedding_model)
    engine = Engine.load(
        policy=Policy.load(settings.policy_file),
        statistics=Statistics.load(settings.statistics_file),
        model=embedder.model,
    )
    return MatcherContext(engine, embedder, settings)


async def adopt(context: MatcherContext, sessions: Sessions) -> None:
    """Give a new database this process's generation. Raises WrongGenerationError if the database has another."""
    async with transaction(sessions) as session:
        current = await generation.initialise(session, context.generation)
    mine = context.generation
    if current.generation != mine.generation:
        raise WrongGenerationError(
            f"the database stands at generation {current.generation} (policy {current.policy}, statistics "
            f"{current.statistics}, model {current.model}), this matcher at {mine.generation} (policy {mine.policy}, "
            f"statistics {mine.statistics}, model {mine.model}); start it with those and with the same successions and "
            "version, or move the database"
        )


def run(settings: Settings) -> None:
    """Run one matcher until a signal."""
    service.start_logging("matcher", settings)
    metrics.export(metrics.Process.MATCHER)
    settings.need_kafka()
    settings.need_database()
    if not limits_threads():
        # Idle BLAS threads spin, and take processor time from the encoder and the database.
        threadpool_limits(1, "blas")
    service.run_service(settings, partial(_make, settings))


async def _make(settings: Settings) -> service.ServiceParts:
    # In a thread: loading takes up to a minute, and the health endpoint has to answer meanwhile.
    context = await asyncio.to_thread(make_context, settings, load_in_subprocess)
    database = make_engine(settings.need_database(), plan_once=True)
    sessions = make_sessions(database)
    producer = kafka.make_producer(settings, "jointly-matcher")
    broker = kafka.make_broker(settings, "jointly-matcher")
    matcher = Matcher(context, sessions, producer)
    state = consumer.consume(
        broker,
        settings,
        group=GROUP,
        handle=matcher.handle,
        refuse=matcher.refuse,
        prepare=matcher.prepare,
        pattern=PLANS_PATTERN,
    )
    dependencies = Dependencies({"kafka": kafka.broker_responds(producer), "postgresql": database_responds(sessions)})
    return service.ServiceParts(
        broker=broker,
        live=[consumer_health.loop_advances(state, dependencies, settings.kafka_max_poll_interval_seconds)],
        ready=[
            consumer_health.has_assignment(state),
            dependencies.answers("kafka"),
            database_responds(sessions),
            consumer_health.partitions_advance(state),
        ],
        note=consumer_health.oldest_unhandled_note(state),
        on_startup=[lambda: adopt(context, sessions), producer.start],
        background=[
            dependencies.watch_for_ever,
            lambda: consumer_metrics.measure_for_ever(state, "matcher"),
            lambda: measure_for_ever(sessions, settings.sweep_interval_seconds),
            lambda: sweep_for_ever(context, sessions, settings.sweep_interval_seconds),
            lambda: purge_for_ever(sessions, context.engine.policy, RetentionRules.of(settings)),
        ],
        on_shutdown=[producer.stop, database.dispose],
        facts={"generation": context.generation.generation},
    )
