"""A limit price comes back with the digits that the client gave: its column has no scale any more.

No row is rewritten for the new type. Prices from before lost their digits: they stay as they were shown.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.alter_column("orders", "limit_price", type_=sa.Numeric())
    op.execute("UPDATE orders SET limit_price = trim_scale(limit_price) WHERE limit_price IS NOT NULL")


def downgrade() -> None:
    op.alter_column("orders", "limit_price", type_=sa.Numeric(18, 4))
