"""Whoever could trade with a live account keeps doing so, and a broker account knows when its book was first compared.

There were no grants before: all who may place orders traded with whatever live account the installation had. The demo
user, whom `pulse up` makes with a password that it prints, did so on paper alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"

_GRANTS_OF_BEFORE = r"""
    INSERT INTO broker_grants (broker_account, account_id, granted_by, granted_at)
    SELECT broker_accounts.name, accounts.id, 'pulse', now()
      FROM broker_accounts CROSS JOIN accounts
     WHERE broker_accounts.is_live
       AND EXISTS (SELECT 1 FROM orders WHERE orders.broker = broker_accounts.name)
       AND accounts.is_active
       AND accounts.role IN ('trader', 'operator', 'admin')
       AND accounts.username !~ '^demo(-[0-9a-f]{6})?$'
    ON CONFLICT DO NOTHING
"""
# With whatever database their books were compared, that of the installation is known since.
_COMPARED_BEFORE = """
    UPDATE broker_accounts SET first_compared_at = now()
     WHERE EXISTS (SELECT 1 FROM installation WHERE known_database IS NOT NULL)
"""


def upgrade() -> None:
    op.add_column("broker_accounts", sa.Column("first_compared_at", sa.DateTime(timezone=True)))
    op.execute(_COMPARED_BEFORE)
    op.execute(_GRANTS_OF_BEFORE)


def downgrade() -> None:
    op.execute("DELETE FROM broker_grants WHERE granted_by = 'pulse'")
    op.drop_column("broker_accounts", "first_compared_at")
