"""What can be traded with each broker, the loads that brought its list, and what an order's slices must keep of it."""

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0029"
down_revision = "0028"

_AT = sa.DateTime(timezone=True)
_CODE, _BEFORE = "INSTRUMENTS_STALE", "LOGIN_ATTACK"
_DEFINITION = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_alarms_code'"


def upgrade() -> None:
    op.create_table(
        "instrument_loads",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("broker", sa.String(20), nullable=False),
        sa.Column("asked_by", sa.String(64), nullable=False),
        sa.Column("asked_at", _AT, nullable=False),
        sa.Column("accepts_smaller", sa.Boolean(), nullable=False),
        sa.Column("holder", sa.String(36)),
        sa.Column("begun_at", _AT),
        sa.Column("held_until", _AT),
        sa.Column("ended_at", _AT),
        sa.Column("outcome", sa.String(20)),
        sa.Column("listed", sa.Integer()),
        sa.Column("skipped", sa.Integer()),
        sa.Column("reason", sa.Text()),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_instrument_loads_ended")),
        sa.CheckConstraint("outcome IN ('LOADED', 'REFUSED', 'FAILED')", name=op.f("ck_instrument_loads_outcome")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instrument_loads")),
    )
    op.create_index(
        "ix_instrument_loads_open", "instrument_loads", ["broker"], unique=True, postgresql_where="ended_at IS NULL"
    )
    op.create_index(
        "ix_instrument_loads_in_force", "instrument_loads", ["broker", "id"], postgresql_where="outcome = 'LOADED'"
    )
    op.create_table(
        "instruments",
        sa.Column("load_id", sa.BigInteger(), nullable=False),
        sa.Column("exchange", sa.String(16), nullable=False),
        sa.Column("symbol", sa.String(32, collation="C"), nullable=False),
        sa.Column("broker", sa.String(20), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("lot_size", sa.BigInteger(), nullable=False),
        sa.Column("tick_size", sa.Numeric(), nullable=False),
        sa.Column("freeze_quantity", sa.BigInteger()),
        sa.Column("max_quantity", sa.BigInteger()),
        sa.Column("products", JSONB(), nullable=False),
        sa.Column("limits", JSONB(), nullable=False),
        sa.Column("expires_on", sa.Date()),
        sa.ForeignKeyConstraint(["load_id"], ["instrument_loads.id"], name=op.f("fk_instruments_load_id")),
        sa.CheckConstraint("kind IN ('EQUITY', 'FUTURE', 'CALL', 'PUT')", name=op.f("ck_instruments_kind")),
        sa.CheckConstraint("lot_size >= 1", name=op.f("ck_instruments_lot_size")),
        sa.CheckConstraint("tick_size > 0", name=op.f("ck_instruments_tick_size")),
        sa.PrimaryKeyConstraint("load_id", "exchange", "symbol", name=op.f("pk_instruments")),
    )
    op.add_column("orders", sa.Column("most_per_slice", sa.BigInteger()))
    op.create_check_constraint(op.f("ck_orders_most_per_slice"), "orders", "most_per_slice >= lot_size")
    codes = _codes()
    codes.insert(codes.index(_BEFORE), _CODE)
    _allow(codes)


def downgrade() -> None:
    op.execute("DELETE FROM alarm_events WHERE code = 'INSTRUMENTS_STALE'")
    op.execute("DELETE FROM alarms WHERE code = 'INSTRUMENTS_STALE'")
    _allow([code for code in _codes() if code != _CODE])
    op.drop_constraint(op.f("ck_orders_most_per_slice"), "orders")
    op.drop_column("orders", "most_per_slice")
    op.drop_table("instruments")
    op.drop_table("instrument_loads")


def _codes() -> list[str]:
    """Those that are allowed now: other revisions may have added some."""
    definition = op.get_bind().execute(sa.text(_DEFINITION)).scalar_one()
    return re.findall(r"'(\w+)'", definition)


def _allow(codes: list[str]) -> None:
    op.drop_constraint(op.f("ck_alarms_code"), "alarms")
    listed = ", ".join(f"'{code}'" for code in codes)
    op.create_check_constraint(op.f("ck_alarms_code"), "alarms", f"code IN ({listed})")
