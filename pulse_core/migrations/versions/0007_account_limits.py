"""Accounts may have a limit of their own on requests; without one the installation's holds."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("requests_per_minute", sa.Integer()))
    rule = "requests_per_minute BETWEEN 1 AND 1000000"
    op.create_check_constraint(op.f("ck_accounts_requests_per_minute"), "accounts", rule)


def downgrade() -> None:
    op.drop_column("accounts", "requests_per_minute")
