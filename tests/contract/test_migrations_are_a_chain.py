"""Migrations are one chain: two that follow the same one would leave `jointly migrate` without a next step."""

from alembic.script import ScriptDirectory

from services.store.schema import MIGRATIONS, revisions


def test_migrations_are_one_chain() -> None:
    assert ScriptDirectory(str(MIGRATIONS)).get_heads() == [revisions()[-1]]
    files = list((MIGRATIONS / "versions").glob("[0-9]*.py"))
    assert len(files) == len(set(revisions())), "two files of one revision"
