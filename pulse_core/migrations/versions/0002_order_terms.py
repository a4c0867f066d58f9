"""Limit orders, a product, a time-out for each slice and the client's own note."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TERMS = ("order_type", "limit_price", "product", "slice_timeout_seconds", "client_note")
_RULES = {
    "order_type": "order_type IN ('MARKET', 'LIMIT')",
    "product": "product IN ('CNC', 'MIS', 'NRML')",
    "limit_has_price": "(order_type = 'LIMIT') = (limit_price IS NOT NULL)",
    "limit_price": "limit_price > 0",
    "slice_timeout_seconds": "slice_timeout_seconds BETWEEN 1 AND 3600",
}


def upgrade() -> None:
    # The default stays: while services are replaced, the old ones still insert orders that name no type.
    op.add_column("orders", sa.Column("order_type", sa.String(20), nullable=False, server_default="MARKET"))
    op.add_column("orders", sa.Column("limit_price", sa.Numeric(18, 4)))
    op.add_column("orders", sa.Column("product", sa.String(20)))
    op.add_column("orders", sa.Column("slice_timeout_seconds", sa.Integer()))
    op.add_column("orders", sa.Column("client_note", sa.String(200)))
    for name, rule in _RULES.items():
        op.create_check_constraint(op.f(f"ck_orders_{name}"), "orders", rule)


def downgrade() -> None:
    for name in _TERMS:
        op.drop_column("orders", name)
