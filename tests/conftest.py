"""What tests share: real parts, started once a session, clean for each test.

- `broker`: a Kafka without topics; every test that asks for it runs on Apache Kafka, and on Tansu in `make test-slow`.
- `database_url`: a migrated PostgreSQL database of its own; `database`: an engine on it.
- `mailbox`: a mail server of its own.

Tests in tests/unit, tests/properties and tests/contract can't open sockets; those in tests/integration and tests/chaos
are marked `integration`. So `pytest -m "not integration"` starts nothing, and `-m "not kafka"` needs no Java.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import structlog
from aiokafka.admin import AIOKafkaAdminClient
from hypothesis import HealthCheck, Phase, settings
from pytest_socket import disable_socket
from sqlalchemy.ext.asyncio import AsyncEngine
from xdist.scheduler import LoadScopeScheduling

from services.local_stack.mail_sink import MailSink
from services.local_stack.mail_sink import run_mail_sink as run_mailbox
from services.local_stack.postgres import Server, postgres
from services.local_stack.tansu import Broker, tansu
from services.store.database import Sessions, make_engine, make_sessions
from tests import brokers
from tests.brokers import ApacheKafka
from tests.support.databases import DatabasePool, folder_in_memory

TESTS = Path(__file__).parent
WITHOUT_SOCKETS = {"unit", "properties", "contract"}
WITH_PARTS = {"integration", "faults"}

AnyBroker: TypeAlias = Broker | ApacheKafka


APACHE = "apache-kafka"
EMBEDDED = "tansu"

# Laws hold on a busy machine too: no example fails by the clock.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
# For seeded bugs: one failing example is enough, the smallest one takes minutes.
settings.register_profile("unshrunk", settings.get_profile("untimed"), phases=[Phase.explicit, Phase.generate])

TEMPORARY = pytest.StashKey[Path]()
PREFIX = "jointly-tests-"


def pytest_configure(config: pytest.Config) -> None:
    """Settings of the shell that runs the tests must not reach them, and root's tests need folders of their own.

    As root, PostgreSQL runs as another account, which has to get to its data; but each pytest that starts closes the
    temporary folder that all of a user's pytests share, and PostgreSQL stops at once when it can't reach its files.
    """
    for name in [name for name in os.environ if name.startswith("JOINTLY_")]:
        del os.environ[name]
    # What went well in process is in nobody's interest; what went wrong is shown with the failure.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if os.geteuid() == 0 and "PYTEST_DEBUG_TEMPROOT" not in os.environ:
        config.stash[TEMPORARY] = _temporary_folder()
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(config.stash[TEMPORARY])


def _temporary_folder() -> Path:
    """A folder of this session's own; what failed sessions left goes after a day."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    for old in folder.parent.glob(f"{PREFIX}*"):
        with suppress(OSError):  # another session tidies up, too
            if time.time() - old.stat().st_mtime > 24 * 3600:
                shutil.rmtree(old, ignore_errors=True)
    return folder


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep the folders, with the logs in them, where something failed."""
    folder = session.config.stash.get(TEMPORARY, None)
    if folder is not None and exitstatus == pytest.ExitCode.OK:
        shutil.rmtree(folder, ignore_errors=True)


class OneWorkerForEach(LoadScopeScheduling):
    """Gives a test to whichever worker is free. Only one starts Apache Kafka, and only one loads the model."""

    def _split_scope(self, nodeid: str) -> str:
        return next((name for name in (APACHE, "tests/unit/matching/test_embedding.py") if name in nodeid), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneWorkerForEach:
    """Ask for the scheduler above, whatever `--dist` says."""
    return OneWorkerForEach(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs parts by where it lies, so that nobody can forget to.

    A test that any broker serves runs on Apache Kafka, as production does. On the embedded one as well it is slow,
    unless there is no Apache Kafka here.
    """
    both = brokers.unavailable() is None
    for item in items:
        if _folder(item) in WITH_PARTS:
            item.add_marker(pytest.mark.integration)
        if both and _param(item, "broker") == EMBEDDED:
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Close sockets to tests that must not need any; pytest-socket opens them again after the test.

    Unix sockets stay open: each asyncio event loop wakes itself through a pair of them.
    """
    if _folder(item) in WITHOUT_SOCKETS:
        disable_socket(allow_unix_socket=True)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """A command that is run in process sets up logging, to an output that is closed when it ends."""
    root, configured = logging.getLogger(), structlog.get_config()
    before, level = root.handlers[:], root.level
    yield
    for handler in root.handlers[:]:
        if type(handler) is logging.StreamHandler and handler not in before:
            root.removeHandler(handler)
            root.setLevel(level)
            structlog.configure(**configured)


def _param(item: pytest.Item, name: str) -> object:
    """What a test is parametrised with under a name; None where it is not."""
    spec = getattr(item, "callspec", None)
    return None if spec is None else spec.params.get(name)


def _folder(item: pytest.Item) -> str:
    """The folder under tests/ that a test lies in."""
    return item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """PostgreSQL for the whole session, without fsync.

    Not in pytest's own temporary folder: a second pytest run would shut that to the server's user.
    """
    with (
        tempfile.TemporaryDirectory(prefix="jointly-postgres-", dir=folder_in_memory()) as folder,
        postgres(Path(folder), durable=False) as server,
    ):
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres_server: Server) -> str:
    """The name of a database with the newest schema, made once; each test's own is a copy of it."""
    from tests.support.ids import migrate_for_tests

    return postgres_server.create_template("jointly_template", migrate_for_tests)


@pytest.fixture(scope="session")
def migrated_databases(postgres_server: Server, migrated_template: str) -> DatabasePool:
    """Copies of it, lent to one test after the other."""
    return DatabasePool(postgres_server, migrated_template)


@pytest.fixture
def database_url(migrated_databases: DatabasePool) -> Iterator[str]:
    """The URL (`postgresql+psycopg://...`) of a migrated, empty database for this test."""
    with migrated_databases.lend() as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on it."""
    engine = make_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def sessions(database: AsyncEngine) -> Sessions:
    """Sessions on it."""
    return make_sessions(database)


@pytest.fixture
def empty_database_url(postgres_server: Server) -> Iterator[str]:
    """The URL of an empty database for this test, for migrations."""
    with postgres_server.fresh_database() as url:
        yield url


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheKafka]:
    """One Apache Kafka for the session, shared: tests that kill a broker start their own by `brokers.apache_kafka`."""
    reason = brokers.unavailable()
    if reason is not None:
        pytest.skip(reason)
    with brokers.apache_kafka(tmp_path_factory.mktemp("kafka")) as node:
        yield node


@pytest.fixture
def cleared_kafka(apache_kafka: ApacheKafka) -> Iterator[ApacheKafka]:
    """The session's Apache Kafka, without topics."""
    yield apache_kafka
    asyncio.run(clear(apache_kafka.bootstrap))


@pytest.fixture(params=[pytest.param(APACHE, marks=pytest.mark.kafka)])
def apache_broker(cleared_kafka: ApacheKafka) -> ApacheKafka:
    """The same, for tests on nothing else; the parameter puts the broker's name into the test's, as `broker` does."""
    return cleared_kafka


@pytest.fixture
def tansu_broker(tmp_path: Path) -> Iterator[Broker]:
    """A Tansu of this test's own: it starts in less time than it would take to clear one."""
    with tansu(tmp_path / "tansu") as broker:
        yield broker


@pytest.fixture(params=[EMBEDDED, pytest.param(APACHE, marks=pytest.mark.kafka)])
def broker(request: pytest.FixtureRequest) -> AnyBroker:
    """A Kafka without topics; `broker.bootstrap` is its host:port. The test is there once for each kind."""
    found: AnyBroker = request.getfixturevalue("tansu_broker" if request.param == EMBEDDED else "cleared_kafka")
    return found


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[MailSink]:
    """A mail server of this test's own; `mailbox.answers` makes it refuse or hang."""
    with run_mailbox(tmp_path / "mails") as running:
        yield running


async def clear(bootstrap: str) -> None:
    """Delete all topics; what groups committed for them goes with them. Returns once the broker lists none.

    The next test would take one that is still listed for its own, and not create it.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        async with asyncio.timeout(60):
            while topics := [name for name in await admin.list_topics() if not name.startswith("__")]:
                await admin.delete_topics(topics)
    finally:
        await admin.close()
