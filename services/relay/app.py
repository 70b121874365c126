"""The relay process: it publishes the outbox of matcher, coalitions and notifier to Kafka."""

from datetime import timedelta
from functools import partial

from events.jwk import KeyFileError, SigningKey, signing_key
from services.messaging import kafka
from services.platform import logs, metrics, retry, service
from services.platform.dependencies import Dependencies
from services.platform.settings import PREFIX, Settings, SettingsError
from services.relay.checkpoints import sign_for_ever
from services.relay.outbox_publisher import OutboxPublisher
from services.store import audit_log, outbox
from services.store.database import Sessions, database_responds, make_engine, make_sessions, now

ALIVE_SECONDS = 120.0
MEASURE_SECONDS = 5.0

log = logs.get(__name__)


def run(settings: Settings) -> None:
    """Run one relay until a signal."""
    service.start_logging("relay", settings)
    metrics.export(metrics.Process.RELAY)
    settings.need_kafka()
    settings.need_database()
    service.run_service(settings, partial(_make, settings, installation_key(settings)))


def installation_key(settings: Settings) -> SigningKey | None:
    """Return the key that signs the audit log, if there is one. Raises SettingsError if the file holds none."""
    path = settings.installation_key_file
    if path is None:
        log.warning("the audit log is not signed", setting=f"{PREFIX}INSTALLATION_KEY_FILE")
        return None
    try:
        return signing_key(path.read_bytes())
    except (KeyFileError, OSError) as error:
        raise SettingsError(f"{PREFIX}INSTALLATION_KEY_FILE: {path} {error}") from None


async def _make(settings: Settings, key: SigningKey | None) -> service.ServiceParts:
    database = make_engine(settings.need_database())
    sessions = make_sessions(database)
    producer = kafka.make_producer(settings, "jointly-relay")
    relay = OutboxPublisher(database, producer, timedelta(days=settings.keep_outbox_days))
    dependencies = Dependencies({"kafka": kafka.broker_responds(producer), "postgresql": database_responds(sessions)})
    return service.ServiceParts(
        broker=kafka.make_broker(settings, "jointly-relay"),
        live=[dependencies.rounds(lambda: relay.last_turn, ALIVE_SECONDS, "the relay has not read the outbox")],
        ready=[dependencies.answers("kafka"), database_responds(sessions)],
        on_startup=[producer.start],
        background=[
            dependencies.watch_for_ever,
            relay.run_for_ever,
            lambda: retry.repeat(lambda: _measure(sessions), MEASURE_SECONDS, "outbox not measured", log),
            *([partial(sign_for_ever, sessions, key, settings.installation_name)] if key is not None else []),
        ],
        on_shutdown=[producer.stop, database.dispose],
    )


async def _measure(sessions: Sessions) -> None:
    """Measure the outbox's backlog and age, and what the audit log holds unsigned, whichever relay does the work."""
    try:
        async with sessions() as session:
            waiting, age = await outbox.backlog(session)
            unsigned = await audit_log.oldest_unsigned(session)
    except Exception:
        # Without the database the age must not look fresh.
        metrics.OUTBOX_AGE.inc(MEASURE_SECONDS)
        raise
    metrics.OUTBOX_WAITING.set(waiting)
    metrics.OUTBOX_AGE.set(age)
    metrics.AUDIT_UNSIGNED.set((now() - unsigned).total_seconds() if unsigned else 0)
