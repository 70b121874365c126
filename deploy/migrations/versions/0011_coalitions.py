"""Coalitions, their members, what authorities answered, and pairs that are not the same thing"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "coalitions",
        sa.Column("coalition_id", sa.String(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("state", postgresql.JSONB(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("review_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("coalition_id"),
    )
    op.create_index("coalitions_review", "coalitions", ["review_on"], postgresql_where=sa.text("review_on IS NOT NULL"))
    op.create_index("coalitions_status", "coalitions", ["status", "created_at"])
    op.create_table(
        "coalition_members",
        sa.Column("coalition_id", sa.String(), nullable=False),
        sa.Column("plan_id", sa.String(), nullable=False),
        sa.Column("authority", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("plan_revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["coalition_id"], ["coalitions.coalition_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("coalition_id", "plan_id"),
    )
    op.create_index("ix_coalition_members_plan_id", "coalition_members", ["plan_id"])
    op.create_index("ix_coalition_members_authority", "coalition_members", ["authority"])
    op.create_table(
        "responses",
        sa.Column("response_id", sa.String(), nullable=False),
        sa.Column("authority", sa.String(), nullable=False),
        sa.Column("plan_id", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("subject_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payload", postgresql.JSONB(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=True),
        sa.Column("member_before", postgresql.JSONB(), nullable=True),
        sa.Column("undone_by", sa.String(), nullable=True),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("response_id"),
    )
    op.create_index("responses_subject", "responses", ["subject_id", "received_at"])
    op.create_index("ix_responses_authority", "responses", ["authority"])
    op.create_table(
        "pair_verdicts",
        sa.Column("opportunity_id", sa.String(), nullable=False),
        sa.Column("authority", sa.String(), nullable=False),
        sa.Column("plan_a", sa.String(), nullable=False),
        sa.Column("plan_b", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("words", sa.String(), nullable=False),
        sa.Column("response_id", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("opportunity_id", "authority"),
    )
    for column in ("plan_a", "plan_b", "response_id"):
        op.create_index(f"ix_pair_verdicts_{column}", "pair_verdicts", [column])


def downgrade() -> None:
    op.drop_table("pair_verdicts")
    op.drop_table("responses")
    op.drop_table("coalition_members")
    op.drop_table("coalitions")
