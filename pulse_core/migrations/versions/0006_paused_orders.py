"""Paused orders by the end of their window: the sweep that ends them need not look at every live order."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_index("ix_orders_paused", "orders", ["end_at"], postgresql_where="status = 'PAUSED'")


def downgrade() -> None:
    op.drop_index("ix_orders_paused", "orders")
