"""A paused order may call back what works at the broker."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"

_REASONS = ("DEADLINE", "ORDER_CANCELLED")
_NAME = "ck_order_slices_cancel_reason"


def upgrade() -> None:
    # The default stays: services of before insert orders, and know nothing of this.
    op.add_column("orders", sa.Column("recalls_working", sa.Boolean(), server_default="false", nullable=False))
    _allow((*_REASONS, "ORDER_PAUSED"))


def downgrade() -> None:
    # What was called back ends as it would have at its deadline.
    op.execute("UPDATE order_slices SET cancel_reason = 'DEADLINE' WHERE cancel_reason = 'ORDER_PAUSED'")
    _allow(_REASONS)
    op.drop_column("orders", "recalls_working")


def _allow(reasons: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{reason}'" for reason in reasons)
    op.drop_constraint(op.f(_NAME), "order_slices")
    op.create_check_constraint(op.f(_NAME), "order_slices", f"cancel_reason IN ({listed})")
