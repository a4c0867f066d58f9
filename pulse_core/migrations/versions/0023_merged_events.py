"""The events of all accounts in one order, for operators and admins; filled when it is read."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.create_table(
        "merged_events",
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_merged_events")),
    )
    op.add_column("event_feeds", sa.Column("merged_sequence", sa.BigInteger(), server_default="0", nullable=False))
    op.create_check_constraint(
        op.f("ck_event_feeds_merged_sequence"), "event_feeds", "merged_sequence BETWEEN 0 AND last_sequence"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_event_feeds_merged_sequence"), "event_feeds")
    op.drop_column("event_feeds", "merged_sequence")
    op.drop_table("merged_events")
