"""The key of ids that the tests' databases hold, and the ids that it gives."""

from typing import Final

from sqlalchemy import create_engine, text

from services.domain import ids
from services.store.migrate import migrate

KEY: Final = ids.IdKey(b"the key of the tests' databases.")


def opportunity_id(plan_a: str, plan_b: str) -> str:
    """The id of a pair of plans in a database that `migrate_for_tests` made."""
    return ids.opportunity_id(KEY, plan_a, plan_b)


def migrate_for_tests(url: str) -> None:
    """Migrate an empty database, and put the tests' key in the place of its random one."""
    migrate(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE id_key SET secret = :secret"), {"secret": KEY.secret})
    engine.dispose()
