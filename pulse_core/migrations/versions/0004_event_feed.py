"""Events of an account in one gap-free order, numbered when somebody reads them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # May stay empty: while services are replaced, the old ones still write events that name no account.
    op.add_column("slice_events", sa.Column("account_id", sa.String(30)))
    op.add_column("slice_events", sa.Column("sequence", sa.BigInteger()))
    op.execute(
        "UPDATE slice_events SET account_id = orders.account_id FROM orders WHERE orders.id = slice_events.order_id"
    )
    op.create_table(
        "event_feeds",
        sa.Column("account_id", sa.String(30), nullable=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_event_feeds")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_event_feeds_account_id")),
        sa.CheckConstraint("last_sequence >= 0", name=op.f("ck_event_feeds_last_sequence")),
    )
    op.create_index(
        "ix_slice_events_sequence",
        "slice_events",
        ["account_id", "sequence"],
        unique=True,
        postgresql_where="sequence IS NOT NULL",
    )
    op.create_index(
        "ix_slice_events_unnumbered", "slice_events", ["account_id", "id"], postgresql_where="sequence IS NULL"
    )


def downgrade() -> None:
    op.drop_table("event_feeds")
    op.drop_column("slice_events", "sequence")
    op.drop_column("slice_events", "account_id")
