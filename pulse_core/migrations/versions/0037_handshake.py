"""Which code may work with the tables, and what each process was told that all must be told alike."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0037"
down_revision = "0036"

WORKS_WITH_CODE_FROM = "0036"


def upgrade() -> None:
    op.add_column("installation", sa.Column("oldest_code", sa.String(32)))
    op.add_column("processes", sa.Column("shared_settings", JSONB))


def downgrade() -> None:
    op.drop_column("processes", "shared_settings")
    op.drop_column("installation", "oldest_code")
