"""Orders that are held for want of money or shares are asked about, and so is their broker account, at times.

Who knows nothing of it writes neither: an order without a time is asked about when its account is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"

_AT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("orders", sa.Column("ask_at", _AT))
    op.add_column("broker_accounts", sa.Column("asked_at", _AT))


def downgrade() -> None:
    op.drop_column("broker_accounts", "asked_at")
    op.drop_column("orders", "ask_at")
