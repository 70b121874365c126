"""Plans set back by an operator"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "plan_resets",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("plan_id", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("from_revision", sa.BigInteger(), nullable=False),
        sa.Column("to_revision", sa.BigInteger(), nullable=False),
        sa.Column("operator", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("reason", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_plan_resets_plan_id"), "plan_resets", ["plan_id"], unique=False)
    op.add_column("plan_log", sa.Column("annulled_by", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("plan_log", "annulled_by")
    op.drop_index(op.f("ix_plan_resets_plan_id"), table_name="plan_resets")
    op.drop_table("plan_resets")
