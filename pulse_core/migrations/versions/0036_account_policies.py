"""How the orders of an account catch up that do not state it.

Who knows nothing of it places orders by what holds for all.
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"

_AT = sa.DateTime(timezone=True)
_RULES = {
    "catch_up": "catch_up IN ('spread', 'next_slice', 'burst', 'skip')",
    "leftover": "leftover IN ('catch_up', 'drop')",
    "at_end": "at_end IN ('leave', 'market')",
    "max_slice_multiple": "max_slice_multiple BETWEEN 1 AND 10",
    "extend_minutes": "extend_minutes BETWEEN 0 AND 1440",
}


def upgrade() -> None:
    op.create_table(
        "account_policies",
        sa.Column("account_id", sa.String(30), nullable=False),
        sa.Column("catch_up", sa.String(20)),
        sa.Column("max_slice_multiple", sa.SmallInteger()),
        sa.Column("extend_minutes", sa.SmallInteger()),
        sa.Column("leftover", sa.String(20)),
        sa.Column("at_end", sa.String(20)),
        sa.Column("set_at", _AT, nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_account_policies_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_account_policies")),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_account_policies_{name}")) for name, rule in _RULES.items()),
    )


def downgrade() -> None:
    op.drop_table("account_policies")
