"""What an account has open is counted by an index of its own; the networks that it logged in from are known; an alarm
tells of those who guess passwords.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

_CODE = "LOGIN_ATTACK"
_DEFINITION = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_alarms_code'"


def upgrade() -> None:
    op.create_index(
        "ix_orders_open",
        "orders",
        ["account_id"],
        postgresql_where="status IN ('PENDING', 'IN_PROGRESS', 'PAUSED', 'CANCELLING')",
    )
    op.create_table(
        "login_networks",
        sa.Column("account_id", sa.String(30), nullable=False),
        sa.Column("network", sa.String(64), nullable=False),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "network", name=op.f("pk_login_networks")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_login_networks_account_id")),
    )
    _allow([*_codes(), _CODE])


def downgrade() -> None:
    op.execute("DELETE FROM alarm_events WHERE code = 'LOGIN_ATTACK'")
    op.execute("DELETE FROM alarms WHERE code = 'LOGIN_ATTACK'")
    _allow([code for code in _codes() if code != _CODE])
    op.drop_table("login_networks")
    op.drop_index("ix_orders_open", "orders")


def _codes() -> list[str]:
    """Those that are allowed now: other revisions may have added some."""
    definition = op.get_bind().execute(sa.text(_DEFINITION)).scalar_one()
    return re.findall(r"'(\w+)'", definition)


def _allow(codes: list[str]) -> None:
    op.drop_constraint(op.f("ck_alarms_code"), "alarms")
    listed = ", ".join(f"'{code}'" for code in codes)
    op.create_check_constraint(op.f("ck_alarms_code"), "alarms", f"code IN ({listed})")
