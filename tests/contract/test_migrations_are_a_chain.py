"""Migrations are one chain, and each file's name begins with its own revision: the tables' state is read from names."""

from alembic.script import ScriptDirectory

from services.store.migrate import configuration
from services.store.schema import MIGRATIONS, revisions


def test_files_are_named_by_their_revisions() -> None:
    scripts = ScriptDirectory.from_config(configuration("postgresql://"))
    chain = [script.revision for script in scripts.walk_revisions()]
    assert tuple(reversed(chain)) == revisions()
    assert len(list((MIGRATIONS / "versions").glob("[0-9]*.py"))) == len(set(revisions())), "two files of one revision"
