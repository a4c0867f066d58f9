"""A refresh token in whose place another was given."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("refresh_tokens", sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("refresh_tokens", "retired_at")
