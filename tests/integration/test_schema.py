"""A database that answers and is still not usable: older, newer, damaged. A sentence says so; `migrate` mends it."""

import re
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine, text

from services.local_stack.postgres import Server
from services.store import schema
from services.store.database import make_engine, make_sessions
from services.store.migrate import Migration, migrate
from services.store.schema import FUNCTIONS, TRIGGERS, Schema, SchemaError, SchemaState

Sql = Callable[..., list[str]]

FUNCTION_TEXTS = """
SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') ORDER BY proname
"""
TRIGGER_TEXTS = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname"
INDEX_TEXTS = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"


@pytest.fixture
def sql(database_url: str) -> Iterator[Sql]:
    """Runs statements on the test's database; the first column of the last one's rows."""
    engine = create_engine(database_url)

    def run(*statements: str) -> list[str]:
        with engine.begin() as connection:
            results = [connection.execute(text(statement)) for statement in statements]
            return [row[0] for row in results[-1]] if results[-1].returns_rows else []

    yield run
    engine.dispose()


async def look(url: str) -> Schema:
    engine = make_engine(url)
    try:
        return await schema.inspect(make_sessions(engine))
    finally:
        await engine.dispose()


async def test_the_manifest_is_what_the_migrations_make(database_url: str, sql: Sql) -> None:
    assert (await look(database_url)).state is SchemaState.CURRENT
    functions = {re.search(r"FUNCTION public\.(\w+)", one)[1] for one in sql(FUNCTION_TEXTS)}  # type: ignore[index]
    triggers = {re.sub(r"CREATE TRIGGER (\w+) .* ON public\.(\w+) .*", r"\2.\1", one) for one in sql(TRIGGER_TEXTS)}
    assert (functions, triggers) == (FUNCTIONS.keys(), TRIGGERS.keys())


LOSSES = [
    ("DROP FUNCTION plan_features_stamp CASCADE", "function plan_features_stamp"),
    ("DROP TRIGGER plan_features_stamp ON plan_features", "trigger plan_features.plan_features_stamp"),
    ("ALTER TABLE plan_features DISABLE TRIGGER plan_features_stamp", "trigger plan_features.plan_features_stamp"),
    ("DROP INDEX plan_features_written", "index plan_features_written"),
    ("DROP INDEX outbox_waiting", "index outbox_waiting"),
]


@pytest.mark.parametrize(("statement", "name"), LOSSES)
async def test_what_holds_no_data_is_put_back(statement: str, name: str, database_url: str, sql: Sql) -> None:
    texts = (FUNCTION_TEXTS, TRIGGER_TEXTS, INDEX_TEXTS)
    before = [sql(one) for one in texts]
    sql(statement)
    found = await look(database_url)
    assert (found.state, found.usable) == (SchemaState.DAMAGED, False)
    assert name in found.missing
    assert "run `jointly migrate`" in found.sentence
    done = migrate(database_url)
    assert name in done.mended
    assert [sql(one) for one in texts] == before, "as the migrations made it"
    assert sql("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'") == [len(TRIGGERS)]


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("DROP TABLE embeddings", "table embeddings"),
        ("ALTER TABLE plans DROP COLUMN attempts", "column plans.attempts"),
        ("ALTER TABLE plan_log DROP CONSTRAINT plan_log_plan_id_revision_key", "key plan_log(plan_id,revision)"),
    ],
)
async def test_what_holds_data_is_not(statement: str, name: str, database_url: str, sql: Sql) -> None:
    sql(statement)
    with pytest.raises(SchemaError, match=re.escape(f"lacks {name}")) as refused:
        migrate(database_url)
    assert "restore a backup" in str(refused.value)


async def test_a_database_of_an_earlier_version_says_how_to_start_anew(database_url: str, sql: Sql) -> None:
    """The column's index is gone with it: creating that would fail with words of SQL."""
    sql("ALTER TABLE plans DROP COLUMN assessed_revision", "DROP INDEX outbox_waiting")
    with pytest.raises(SchemaError, match=r"lacks column plans\.assessed_revision") as refused:
        migrate(database_url)
    said = str(refused.value)
    assert "on an empty database and `jointly publish plans.jsonl`" in said
    assert "LINE 1" not in said
    assert "outbox_waiting" in " ".join((await look(database_url)).missing), "nothing was created"
    assert sql(schema.EXPORT) == [], "the command that the message names works on these tables"


async def test_a_database_of_a_development_version_says_how_to_start_anew(database_url: str, sql: Sql) -> None:
    sql("UPDATE alembic_version SET version_num = '0010'")
    found = await look(database_url)
    assert (found.state, found.usable) == (SchemaState.OBSOLETE, False)
    with pytest.raises(SchemaError, match="stands at 0010, which can't be migrated") as refused:
        migrate(database_url)
    assert "`jointly publish plans.jsonl`" in str(refused.value)


async def test_a_newer_database_is_left_as_it_is(database_url: str, sql: Sql) -> None:
    """As docs/operations.md says of going back: the older version's `migrate` runs first and must not stop it."""
    sql("UPDATE alembic_version SET version_num = '9999'", "ALTER TABLE plans ADD COLUMN later text")
    done = migrate(database_url)
    assert (done.before, done.after, done.schema.state) == ("9999", "9999", SchemaState.NEWER)
    assert "newer than this version's" in done.schema.sentence
    assert (await look(database_url)).usable


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE plans DROP COLUMN attempts", "lacks column plans.attempts"),
        ("ALTER TABLE plans ADD COLUMN later text NOT NULL", "wants values for plans.later"),
    ],
)
async def test_a_newer_database_that_an_older_version_cannot_use(
    statement: str, said: str, database_url: str, sql: Sql
) -> None:
    sql("UPDATE alembic_version SET version_num = '9999'", statement)
    with pytest.raises(SchemaError, match=said) as refused:
        migrate(database_url)
    assert "restore the backup" in str(refused.value)
    assert not (await look(database_url)).usable


def test_an_owner_who_is_no_superuser_migrates(postgres_server: Server) -> None:
    with postgres_server.fresh_database() as url, postgres_server.connect() as administrator:
        name = url.rsplit("/", 1)[1]
        administrator.execute(f"CREATE ROLE {name}_owner LOGIN PASSWORD 'own'")
        administrator.execute(f"ALTER DATABASE {name} OWNER TO {name}_owner")
        own = re.sub(r"//postgres:[^@]*@", f"//{name}_owner:own@", url)
        try:
            done: Migration = migrate(own)
            assert done.schema.usable
        finally:
            with postgres_server.connect(name) as inside:
                inside.execute(f"DROP OWNED BY {name}_owner")
            administrator.execute(f"ALTER DATABASE {name} OWNER TO postgres")
            administrator.execute(f"DROP ROLE {name}_owner")
