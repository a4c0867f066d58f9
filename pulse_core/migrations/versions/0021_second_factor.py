"""Accounts may have a second factor."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0021"
down_revision = "0020"

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("accounts", sa.Column("second_factor_since", _AT, nullable=True))
    op.create_table(
        "second_factors",
        sa.Column("account_id", sa.String(30), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("used_step", sa.BigInteger(), nullable=True),
        sa.Column("recovery_hashes", JSONB(), nullable=False),
        sa.Column("new_secret", sa.Text(), nullable=True),
        sa.Column("offered_at", _AT, nullable=True),
        sa.CheckConstraint("(secret IS NULL) = (used_step IS NULL)", name=op.f("ck_second_factors_secret")),
        sa.CheckConstraint("(new_secret IS NULL) = (offered_at IS NULL)", name=op.f("ck_second_factors_new_secret")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_second_factors")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_second_factors_account_id")),
    )


def downgrade() -> None:
    op.drop_table("second_factors")
    op.drop_column("accounts", "second_factor_since")
