"""The book of a broker is read by one process at a time: whose turn it is stands here."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "book_turns",
        sa.Column("broker", sa.String(20), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("taken_at", _AT, nullable=False),
        sa.Column("held_until", _AT, nullable=False),
        sa.Column("next_at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("broker", name=op.f("pk_book_turns")),
    )


def downgrade() -> None:
    op.drop_table("book_turns")
