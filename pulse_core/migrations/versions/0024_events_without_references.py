"""Events refer to their orders and slices by id alone.

Each row of them looked both up once more and locked them, though the statement that writes it has just read or moved them;
and where many slices of one order moved at once, each such lock made the order's row anew. Nothing removes an order.
"""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.drop_constraint("fk_slice_events_order_id", "slice_events", type_="foreignkey")
    op.drop_constraint("fk_slice_events_slice_id", "slice_events", type_="foreignkey")


def downgrade() -> None:
    op.create_foreign_key("fk_slice_events_order_id", "slice_events", "orders", ["order_id"], ["id"])
    op.create_foreign_key("fk_slice_events_slice_id", "slice_events", "order_slices", ["slice_id"], ["id"])
