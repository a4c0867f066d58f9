"""What accounts may do at most, and what instruments stood at when an order arrived and before each slice."""

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0030"
down_revision = "0029"

_AT = sa.DateTime(timezone=True)
_REASON, _CODE = "LIMIT", "LIMIT_REACHED"
# Table, column, word, and which one it stands before.
_NEW_WORDS = (("orders", "hold", _REASON, "AWAITING_TOKEN"), ("alarms", "code", _CODE, "UNEXPLAINED_ORDERS"))


def upgrade() -> None:
    op.create_table(
        "risk_limits",
        sa.Column("account_id", sa.String(30), nullable=False),
        sa.Column("order_quantity", sa.BigInteger()),
        sa.Column("order_worth", sa.Numeric()),
        sa.Column("day_quantity", sa.BigInteger()),
        sa.Column("day_worth", sa.Numeric()),
        sa.Column("open_orders", sa.Integer()),
        sa.Column("orders_per_minute", sa.Integer()),
        sa.Column("price_collar_percent", sa.Numeric()),
        sa.Column("volume_share_percent", sa.Numeric()),
        sa.Column("instruments", JSONB()),
        sa.Column("products", JSONB()),
        sa.Column("set_at", _AT, nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_risk_limits_account_id")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_risk_limits")),
    )
    op.create_table(
        "last_prices",
        sa.Column("broker", sa.String(20), nullable=False),
        sa.Column("instrument", sa.String(49), nullable=False),
        sa.Column("price", sa.Numeric(), nullable=False),
        sa.Column("read_at", _AT, nullable=False),
        sa.PrimaryKeyConstraint("broker", "instrument", name=op.f("pk_last_prices")),
        prefixes=["UNLOGGED"],
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "arrivals",
        sa.Column("order_id", sa.String(30), nullable=False),
        sa.Column("taken_at", _AT, nullable=False),
        sa.Column("quoted_at", _AT),
        sa.Column("last_price", sa.Numeric(), nullable=False),
        sa.Column("volume", sa.BigInteger()),
        sa.Column("bids", JSONB(), nullable=False),
        sa.Column("asks", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_arrivals_order_id")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_arrivals")),
    )
    op.create_table(
        "day_volumes",
        sa.Column("instrument", sa.String(49), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("volume", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("instrument", "day", name=op.f("pk_day_volumes")),
    )
    op.add_column("orders", sa.Column("reckoned_price", sa.Numeric()))
    op.add_column("order_slices", sa.Column("last_price", sa.Numeric()))
    op.create_index(
        "ix_orders_begin_later",
        "orders",
        ["account_id", "start_at"],
        postgresql_where="start_at - created_at > '24:00:00'::interval",
    )
    for table, column, word, before in _NEW_WORDS:
        allowed = _words(table, column)
        allowed.insert(allowed.index(before), word)
        _replace_words(table, column, allowed)


def downgrade() -> None:
    for table in ("alarm_events", "alarms"):
        op.execute(f"DELETE FROM {table} WHERE code = '{_CODE}'")  # noqa: S608
    # Whoever held them is asked again.
    op.execute(f"UPDATE orders SET hold = 'INVALID', recheck_at = NULL WHERE hold = '{_REASON}'")  # noqa: S608
    for table, column, word, _ in _NEW_WORDS:
        _replace_words(table, column, [one for one in _words(table, column) if one != word])
    op.drop_index("ix_orders_begin_later", "orders")
    op.drop_column("order_slices", "last_price")
    op.drop_column("orders", "reckoned_price")
    for table in ("day_volumes", "arrivals", "last_prices", "risk_limits"):
        op.drop_table(table)


def _words(table: str, column: str) -> list[str]:
    """Those that are allowed now: other revisions may have added some."""
    named = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    definition = op.get_bind().execute(named, {"name": f"ck_{table}_{column}"}).scalar_one()
    return re.findall(r"'(\w+)'", definition)


def _replace_words(table: str, column: str, allowed: list[str]) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{column}"), table)
    listed = ", ".join(f"'{word}'" for word in allowed)
    op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, f"{column} IN ({listed})")
