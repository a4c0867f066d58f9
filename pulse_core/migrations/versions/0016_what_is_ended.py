"""Refresh tokens in whose place others were given, and the networks from which a key may be used."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.add_column("refresh_tokens", sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("api_keys", sa.Column("networks", JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False))


def downgrade() -> None:
    op.drop_column("api_keys", "networks")
    op.drop_column("refresh_tokens", "retired_at")
