"""Keeps new vectors out of HNSW until they are moved there, and numbers them by the transaction that wrote them"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FEW = 20_000
"""As many as a matcher compares by itself: where there are no more, nothing has to be indexed now."""

_MARK = """
CREATE FUNCTION search_vectors_mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.hnsw := false;
    NEW.changed := pg_current_xact_id()::text::bigint;
    RETURN NEW;
END
$$
"""
_TRIGGER = """
CREATE TRIGGER search_vectors_mark BEFORE UPDATE OF vector ON search_vectors
FOR EACH ROW EXECUTE FUNCTION search_vectors_mark()
"""


def upgrade() -> None:
    there = op.get_bind().execute(sa.text("SELECT count(*) FROM search_vectors")).scalar_one()
    in_hnsw = sa.true() if there > FEW else sa.false()
    op.add_column("search_vectors", sa.Column("hnsw", sa.Boolean(), nullable=False, server_default=in_hnsw))
    op.alter_column("search_vectors", "hnsw", server_default=sa.false())
    op.add_column("search_vectors", sa.Column("changed", sa.BigInteger(), nullable=False, server_default="1"))
    op.alter_column("search_vectors", "changed", server_default=sa.text("((pg_current_xact_id())::text)::bigint"))
    op.execute(_MARK)
    op.execute(_TRIGGER)
    _build("hnsw")
    op.create_index("search_vectors_newest", "search_vectors", ["changed"], postgresql_where=sa.text("NOT hnsw"))
    op.create_index("search_vectors_moved", "search_vectors", ["plan_id"], postgresql_where=sa.text("hnsw"))


def downgrade() -> None:
    op.drop_index("search_vectors_moved", "search_vectors")
    op.drop_index("search_vectors_newest", "search_vectors")
    _build(None)
    op.execute("DROP TRIGGER search_vectors_mark ON search_vectors")
    op.execute("DROP FUNCTION search_vectors_mark()")
    op.drop_column("search_vectors", "changed")
    op.drop_column("search_vectors", "hnsw")


def _build(which: str | None) -> None:
    op.drop_index("search_vectors_nearest", "search_vectors")
    op.create_index(
        "search_vectors_nearest",
        "search_vectors",
        ["vector"],
        unique=False,
        postgresql_using="hnsw",
        postgresql_with={"m": 16, "ef_construction": 200},
        postgresql_ops={"vector": "halfvec_ip_ops"},
        postgresql_where=sa.text(which) if which else None,
    )
