"""What operators say of single days of an exchange, and what an order says of the sessions of its market."""

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"

_AT = sa.DateTime(timezone=True)
_CODE, _AFTER = "CUT_OFF_PASSED", "NO_ROOM"
_DEFINITION = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_alarms_code'"


def upgrade() -> None:
    # The defaults stay: while services are replaced, the old ones still insert orders that say nothing of this.
    op.add_column("orders", sa.Column("session", sa.String(20), nullable=False, server_default="refuse"))
    op.add_column("orders", sa.Column("until_close", sa.Boolean(), nullable=False, server_default="false"))
    op.add_column("orders", sa.Column("asked_start_at", _AT))
    op.create_check_constraint(op.f("ck_orders_session"), "orders", "session IN ('refuse', 'wait', 'at_open')")
    op.create_table(
        "market_overrides",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("exchange", sa.String(16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("phases", JSONB(), nullable=False),
        sa.Column("cut_offs", JSONB(), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("made_at", _AT, nullable=False),
        sa.Column("revoked_by", sa.String(64)),
        sa.Column("revoked_at", _AT),
        sa.CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name=op.f("ck_market_overrides_who_revoked")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_market_overrides")),
    )
    op.create_index(
        "ix_market_overrides_in_force",
        "market_overrides",
        ["exchange", "day"],
        unique=True,
        postgresql_where="revoked_at IS NULL",
    )
    codes = _codes()
    codes.insert(codes.index(_AFTER) + 1, _CODE)
    _allow(codes)


def downgrade() -> None:
    op.execute("DELETE FROM alarm_events WHERE code = 'CUT_OFF_PASSED'")
    op.execute("DELETE FROM alarms WHERE code = 'CUT_OFF_PASSED'")
    _allow([code for code in _codes() if code != _CODE])
    op.drop_table("market_overrides")
    for name in ("session", "until_close", "asked_start_at"):
        op.drop_column("orders", name)


def _codes() -> list[str]:
    """Those that are allowed now: other revisions may have added some."""
    definition = op.get_bind().execute(sa.text(_DEFINITION)).scalar_one()
    return re.findall(r"'(\w+)'", definition)


def _allow(codes: list[str]) -> None:
    op.drop_constraint(op.f("ck_alarms_code"), "alarms")
    listed = ", ".join(f"'{code}'" for code in codes)
    op.create_check_constraint(op.f("ck_alarms_code"), "alarms", f"code IN ({listed})")
