"""This version's database schema, and a check of the database against it.

After a restore, a rollback or a forgotten `jointly migrate`, a database may answer and still be unusable. Every command
and every process checks this first.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

from services.store import tables  # noqa: F401 (declares every table)
from services.store.database import Sessions, autocommit_session

MIGRATIONS: Final = Path(__file__).resolve().parents[2] / "deploy" / "migrations"

FUNCTIONS: Final[Mapping[str, str]] = {
    "plan_features_stamp": """
CREATE OR REPLACE FUNCTION plan_features_stamp() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.written_xid := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END
$$
""",
    "audit_log_refuse": """
CREATE OR REPLACE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log only grows: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$
""",
}
"""SQL functions by name. Migrations create them from this text, and `jointly migrate` restores a missing one."""

TRIGGERS: Final[Mapping[str, str]] = {
    "plan_features.plan_features_stamp": """
CREATE OR REPLACE TRIGGER plan_features_stamp BEFORE UPDATE ON plan_features
FOR EACH ROW EXECUTE FUNCTION plan_features_stamp()
""",
    "audit_log.audit_log_refuse": """
CREATE OR REPLACE TRIGGER audit_log_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse()
""",
}

BEFORE_FIRST: Final = frozenset(f"{number:04}" for number in range(1, 11))
"""Revisions of development versions. No migration of this version starts from their tables."""


EXPORT: Final = "SELECT state FROM plans WHERE status = 'active' AND state IS NOT NULL"
"""Selects the newest state of every active plan in the log, in the form that `jointly publish` reads."""
_START_ANEW: Final = (
    f'export the plans of its plan log (`psql -Atc "{EXPORT}" > plans.jsonl`), then run `jointly migrate` on an empty '
    "database and `jointly publish plans.jsonl`"
)


class SchemaError(Exception):
    """This version can't work with the database; the message says what to do."""


class SchemaState(StrEnum):
    """The state of a database, compared with this version."""

    CURRENT = "current"
    NEWER = "newer"
    OLDER = "older"
    OBSOLETE = "obsolete"
    EMPTY = "empty"
    DAMAGED = "damaged"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema found in a database. `missing` lists objects that this version needs, as "table x"; `demanding` lists
    unknown columns that reject a row without a value."""

    database: str
    revision: str | None
    missing: tuple[str, ...] = ()
    demanding: tuple[str, ...] = ()

    @property
    def state(self) -> SchemaState:
        """The state of the database, compared with this version."""
        if self.revision is None:
            return SchemaState.EMPTY
        if self.revision in BEFORE_FIRST:
            return SchemaState.OBSOLETE
        if self.revision not in revisions():
            return SchemaState.UNKNOWN if self.missing or self.demanding else SchemaState.NEWER
        if self.revision != revisions()[-1]:
            return SchemaState.OLDER
        return SchemaState.DAMAGED if self.missing or self.demanding else SchemaState.CURRENT

    @property
    def usable(self) -> bool:
        """Whether this version can read and write it. A newer database is usable if nothing is missing."""
        return self.state in (SchemaState.CURRENT, SchemaState.NEWER)

    @property
    def mendable(self) -> bool:
        """Whether only objects that hold no data are missing: functions, triggers and indexes."""
        return not self.demanding and all(name.startswith(("function ", "trigger ", "index ")) for name in self.missing)

    @property
    def sentence(self) -> str:
        """A sentence on the problem and the remedy."""
        missing = [*self.missing[:5], *(["more"] if len(self.missing) > 5 else [])]
        faults = [f"lacks {', '.join(missing)}"] if missing else []
        faults += [f"wants values for {', '.join(self.demanding[:5])}"] if self.demanding else []
        wrong = " and ".join(faults)
        name, newest = f"the database {self.database}", revisions()[-1]
        match self.state:
            case SchemaState.EMPTY:
                return f"{name} has no tables of Jointly: run `jointly migrate`, or name the right database"
            case SchemaState.OLDER:
                return f"{name} stands at {self.revision}, this version needs {newest}: run its `jointly migrate`"
            case SchemaState.OBSOLETE:
                return f"{name} stands at {self.revision}, which can't be migrated: {_START_ANEW}"
            case SchemaState.DAMAGED if self.mendable:
                return (
                    f"{name} stands at {self.revision} but {wrong}: run `jointly migrate`, "
                    "which restores functions, triggers and indexes"
                )
            case SchemaState.DAMAGED:
                return (
                    f"{name} stands at {self.revision} but {wrong}, which can't be migrated: restore a backup if parts "
                    f"were lost. If an earlier version made it, {_START_ANEW}"
                )
            case SchemaState.UNKNOWN:
                return (
                    f"{name} stands at {self.revision}, which this version ({newest}) does not know, and "
                    f"{wrong}: start the version that migrated it, or restore the backup that "
                    "was taken before"
                )
            case SchemaState.NEWER:
                return (
                    f"{name} stands at {self.revision}, newer than this version's {newest}, and has all that this "
                    "version needs: nothing to do"
                )
            case SchemaState.CURRENT:
                return f"{name} stands at {self.revision}, as this version needs"


@cache
def revisions() -> tuple[str, ...]:
    """Return the revisions of this version's migrations, oldest first."""
    scripts = ScriptDirectory(str(MIGRATIONS)).walk_revisions()
    return tuple(reversed([script.revision for script in scripts]))


_INVENTORY: Final = text(
    """
    SELECT CASE WHEN a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AND a.attgenerated = ''
        THEN 'demanding' ELSE 'column' END AS kind, c.relname || '.' || a.attname AS name
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace <> 'pg_catalog'::regnamespace AND pg_table_is_visible(c.oid)
    UNION ALL
    SELECT 'index', c.relname FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid AND i.indisvalid
    WHERE c.relnamespace <> 'pg_catalog'::regnamespace AND pg_table_is_visible(c.oid)
    UNION ALL
    SELECT 'key', c.relname || '(' || (
        SELECT string_agg(a.attname, ',' ORDER BY a.attname) FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attnum = ANY (k.conkey)) || ')'
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid AND pg_table_is_visible(c.oid)
    WHERE k.contype IN ('p', 'u')
    UNION ALL
    SELECT 'function', proname FROM pg_proc
    WHERE pronamespace <> 'pg_catalog'::regnamespace AND pg_function_is_visible(oid)
    UNION ALL
    SELECT 'trigger', c.relname || '.' || t.tgname FROM pg_trigger t
    JOIN pg_class c ON c.oid = t.tgrelid AND pg_table_is_visible(c.oid)
    WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
    """
)
_REVISION: Final = text("SELECT version_num FROM alembic_version")
_NAME: Final = text("SELECT current_database()")


async def inspect(sessions: Sessions) -> Schema:
    """Read the database's schema, with two or three short statements."""
    async with autocommit_session(sessions) as session:
        name = (await session.execute(_NAME)).scalar_one()
        found = _grouped((await session.execute(_INVENTORY)).all())
        revision = (await session.execute(_REVISION)).scalar() if _has_revision(found) else None
    return _schema(name, revision, found)


def inspect_connection(connection: Connection) -> Schema:
    """Read the schema over an open connection."""
    name = connection.execute(_NAME).scalar_one()
    found = _grouped(connection.execute(_INVENTORY).all())
    revision = connection.execute(_REVISION).scalar() if _has_revision(found) else None
    return _schema(name, revision, found)


async def require(sessions: Sessions) -> None:
    """Raise SchemaError if this version can't work with the database."""
    found = await inspect(sessions)
    if not found.usable:
        raise SchemaError(found.sentence)


def mend(connection: Connection, found: Schema) -> tuple[str, ...]:
    """Restore missing objects that hold no data: functions, triggers and indexes. Returns their names."""
    # Functions first: triggers call them.
    made = [name for name in found.missing if name.startswith("function ")]
    made += [name for name in found.missing if name.startswith("trigger ")]
    for name in made:
        connection.execute(text({**FUNCTIONS, **TRIGGERS}[name.split(" ", 1)[1]]))
    indexes = {str(index.name): index for table in SQLModel.metadata.tables.values() for index in table.indexes}
    for name in found.missing:
        kind, _, own = name.partition(" ")
        if kind == "index":
            indexes[own].create(connection)
            made.append(name)
    return tuple(made)


def _grouped(rows: Sequence[Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for kind, name in rows:
        found[kind].add(name)
    found["column"] |= found["demanding"]
    return found


def _has_revision(found: Mapping[str, set[str]]) -> bool:
    return "alembic_version.version_num" in found["column"]


def _schema(name: str, revision: str | None, found: Mapping[str, set[str]]) -> Schema:
    needed = _needed()
    missing = []
    tables_there = {column.split(".")[0] for column in found["column"]}
    for kind, names in needed.items():
        for one in sorted(names - found[kind]):
            # Report a missing table once, without each object on it.
            owner = one.replace("(", ".").split(".")[0]
            gone = kind in ("column", "key", "trigger") and owner not in tables_there
            missing.append(f"table {owner}" if gone else f"{kind} {one}")
    known = needed["column"]
    demanding = {column for column in found["demanding"] - known if column.split(".")[0] in SQLModel.metadata.tables}
    return Schema(name, revision, tuple(dict.fromkeys(missing)), tuple(sorted(demanding)))


@cache
def _needed() -> dict[str, set[str]]:
    """Return the names of all objects that the tables of `services.store` declare, by kind."""
    needed: dict[str, set[str]] = defaultdict(set)
    needed["function"].update(FUNCTIONS)
    needed["trigger"].update(TRIGGERS)
    for table in SQLModel.metadata.tables.values():
        needed["column"].update(f"{table.name}.{column.name}" for column in table.columns)
        needed["index"].update(str(index.name) for index in table.indexes)
        for constraint in table.constraints:
            if type(constraint).__name__ in ("PrimaryKeyConstraint", "UniqueConstraint"):
                columns = ",".join(sorted(column.name for column in constraint.columns))  # type: ignore[attr-defined]
                needed["key"].add(f"{table.name}({columns})")
    return needed
