"""Slices get turns under the broker's limits, one budget for all workers of a broker's account."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("order_slices", sa.Column("turn_at", _AT))
    op.add_column("order_slices", sa.Column("admitted_at", _AT))
    op.create_table(
        "broker_budgets",
        sa.Column("broker", sa.String(20), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("calls_of_day", sa.Integer(), nullable=False),
        sa.Column("given_at", _AT, nullable=False),
        sa.Column("room_at", _AT, nullable=False),
        sa.Column("full_until", _AT),
        sa.PrimaryKeyConstraint("broker", name=op.f("pk_broker_budgets")),
    )
    op.create_table(
        "broker_turns",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("broker", sa.String(20), nullable=False),
        sa.Column("at", _AT, nullable=False),
        sa.Column("slice_id", sa.String(29), nullable=False),
        sa.Column("order_id", sa.String(30), nullable=False),
        sa.Column("account_id", sa.String(30), nullable=False),
        sa.Column("is_cancel", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_broker_turns")),
    )
    op.create_index("ix_broker_turns_at", "broker_turns", ["broker", "at"])


def downgrade() -> None:
    op.drop_table("broker_turns")
    op.drop_table("broker_budgets")
    op.drop_column("order_slices", "admitted_at")
    op.drop_column("order_slices", "turn_at")
