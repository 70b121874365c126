"""The index that candidates are looked up in once there are too many plans to compare each with all"""

import sqlalchemy as sa
import sqlmodel
from alembic import op
from pgvector.sqlalchemy import HALFVEC
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXT = sqlmodel.sql.sqltypes.AutoString()


def upgrade() -> None:
    op.create_table(
        "search_entries",
        sa.Column("plan_id", TEXT, nullable=False),
        sa.Column("generation", TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("standing", sa.Boolean(), nullable=False),
        sa.Column("earliest", sa.Integer(), nullable=False),
        sa.Column("latest", sa.Integer(), nullable=False),
        sa.Column("flexible", sa.Integer(), nullable=False),
        sa.Column("lead_days", sa.Integer(), nullable=False),
        sa.Column("local", sa.Boolean(), nullable=False),
        sa.Column("areas", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("council", TEXT, nullable=False),
        sa.Column("authority", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("plan_id"),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "search_vectors",
        sa.Column("plan_id", TEXT, nullable=False),
        sa.Column("content", TEXT, nullable=False),
        sa.Column("vector", HALFVEC(640), nullable=False),
        sa.Column("searched", sa.Boolean(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("plan_id"),
    )
    op.create_table(
        "search_neighbours",
        sa.Column("plan_id", TEXT, nullable=False),
        sa.Column("other_id", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("plan_id", "other_id"),
    )
    op.create_index(
        "search_vectors_nearest",
        "search_vectors",
        ["vector"],
        unique=False,
        postgresql_using="hnsw",
        postgresql_ops={"vector": "halfvec_ip_ops"},
    )


def downgrade() -> None:
    op.drop_table("search_neighbours")
    op.drop_table("search_vectors")
    op.drop_table("search_entries")
