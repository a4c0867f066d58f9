"""How long the broker was last taken to be full, so that a refusal soon after may double it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.add_column("broker_budgets", sa.Column("full_since", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE broker_budgets SET full_since = full_until - interval '1 second' WHERE full_until IS NOT NULL")


def downgrade() -> None:
    op.drop_column("broker_budgets", "full_since")
