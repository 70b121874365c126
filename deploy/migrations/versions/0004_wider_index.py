"""Builds the vector index with a wider look around each new vector, so that fewer pairs are missed, and notes what was
searched for where writing it costs the index nothing
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Everything counts as not searched for: each plan is, once more, when it comes next, in the better index.
    op.add_column(
        "search_entries", sa.Column("searched", sqlmodel.sql.sqltypes.AutoString(), nullable=False, server_default="")
    )
    op.alter_column("search_vectors", "searched", server_default=sa.false())
    _build({"m": 16, "ef_construction": 200})


def downgrade() -> None:
    _build({})
    op.alter_column("search_vectors", "searched", server_default=None)
    op.drop_column("search_entries", "searched")


def _build(options: dict[str, int]) -> None:
    op.drop_index("search_vectors_nearest", "search_vectors")
    op.create_index(
        "search_vectors_nearest",
        "search_vectors",
        ["vector"],
        unique=False,
        postgresql_using="hnsw",
        postgresql_with=options,
        postgresql_ops={"vector": "halfvec_ip_ops"},
    )
