"""Which plan event an opportunity's last revision and each intent followed from"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("opportunities", sa.Column("causation_id", sa.String(), nullable=True))
    op.add_column("notification_intents", sa.Column("causation_id", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("notification_intents", "causation_id")
    op.drop_column("opportunities", "causation_id")
