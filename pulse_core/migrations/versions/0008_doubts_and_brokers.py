"""An order names its broker, an attempt its end at the broker; what an operator settles, and what a restore loses.

An installation has a key of its own, from which the ids of its attempts follow: a database that lost its last commits
can find them in the broker's book.
"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_AT = sa.DateTime(timezone=True)

# An order that was never sent goes where the orders before it went.
_BROKERS = """
    UPDATE orders o SET broker = coalesce(
        (SELECT p.broker FROM placements p JOIN order_slices s ON s.id = p.slice_id WHERE s.order_id = o.id LIMIT 1),
        (SELECT p.broker FROM placements p ORDER BY p.claimed_at DESC LIMIT 1),
        'paper')
"""
# An order that its slice still works is live; of any other that was acknowledged today the book will tell.
_ENDS = """
    UPDATE placements p SET ended_at = s.updated_at
      FROM order_slices s
     WHERE s.id = p.slice_id AND p.outcome = 'ACKNOWLEDGED'
       AND ((s.broker_order_id = p.broker_order_id AND s.status NOT IN ('WORKING', 'SENDING', 'UNKNOWN'))
            OR p.claimed_at < now() - interval '1 day' AND s.broker_order_id IS DISTINCT FROM p.broker_order_id)
"""
_WRITTEN_OFF = "broker_order_id IS NULL AND outcome IN ('ABSENT', 'NOT_SENT', 'REFUSED')"


def upgrade() -> None:
    op.add_column("orders", sa.Column("broker", sa.String(20)))
    op.execute(_BROKERS)
    op.alter_column("orders", "broker", nullable=False)
    op.add_column("placements", sa.Column("ended_at", _AT))
    op.execute(_ENDS)
    op.create_index(
        "ix_placements_presumed_absent", "placements", ["claimed_at"], postgresql_where=sa.text(_WRITTEN_OFF)
    )
    op.add_column("order_slices", sa.Column("cancel_asks", sa.Integer(), nullable=False, server_default="0"))
    op.alter_column("order_slices", "cancel_asks", server_default=None)
    op.add_column("fills", sa.Column("settled_by", sa.Text()))
    _create_installation()


def _create_installation() -> None:
    table = op.create_table(
        "installation",
        sa.Column("id", sa.SmallInteger(), nullable=False, autoincrement=False),
        sa.Column("client_order_id_key", sa.String(64), nullable=False),
        sa.Column("known_database", sa.Text()),
        sa.Column("held_since", _AT),
        sa.Column("hold_reason", sa.Text()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_one_row")),
        sa.CheckConstraint("(held_since IS NULL) = (hold_reason IS NULL)", name=op.f("ck_installation_hold")),
    )
    op.bulk_insert(table, [{"id": 1, "client_order_id_key": secrets.token_hex(32)}])


def downgrade() -> None:
    op.drop_table("installation")
    op.drop_column("fills", "settled_by")
    op.drop_column("order_slices", "cancel_asks")
    op.drop_index("ix_placements_presumed_absent", "placements")
    op.drop_column("placements", "ended_at")
    op.drop_column("orders", "broker")
