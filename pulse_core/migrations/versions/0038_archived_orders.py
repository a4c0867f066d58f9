"""Orders whose slices are in the archive."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"

WORKS_WITH_CODE_FROM = "0037"


def upgrade() -> None:
    op.add_column("orders", sa.Column("archived_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("orders", "archived_at")
