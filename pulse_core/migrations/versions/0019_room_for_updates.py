"""Room in the pages of rows that are rewritten, and one index less to keep.

An update that finds room in its page, and changes nothing that an index holds, changes no index either: turns and hints of
slices, fills of orders. New pages only: nothing is rewritten here. No query looked a slice up by its `client_order_id`,
and the primary key of the placements, which are written with it, keeps it unique.
"""

from alembic import op

revision = "0019"
down_revision = "0018"

ROOM = {"orders": 80, "order_slices": 80, "placements": 90}


def upgrade() -> None:
    for table, percent in ROOM.items():
        op.execute(f"ALTER TABLE {table} SET (fillfactor = {percent})")
    op.drop_constraint("uq_order_slices_client_order_id", "order_slices", type_="unique")


def downgrade() -> None:
    op.create_unique_constraint("uq_order_slices_client_order_id", "order_slices", ["client_order_id"])
    for table in ROOM:
        op.execute(f"ALTER TABLE {table} RESET (fillfactor)")
