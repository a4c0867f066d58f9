"""Orders may be held for what their broker says of them, and broker accounts are probed while they are.

What is held costs nothing: its slices stay SCHEDULED until the hold is released, or their window is over.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"

_AT = sa.DateTime(timezone=True)
_REASONS = ("FUNDS", "HOLDINGS", "SESSION", "INVALID", "AWAITING_TOKEN", "BLOCKED")
_CODES = {"ORDER_HELD": "CUT_OFF_PASSED", "PRICE_REFUSED": "ORDER_HELD", "ACCOUNT_HELD": "SENDING_HELD"}
_KINDS = ("HELD", "RELEASED")


def upgrade() -> None:
    op.add_column("orders", sa.Column("hold", sa.String(20)))
    op.add_column("orders", sa.Column("held_since", _AT))
    op.add_column("orders", sa.Column("hold_message", sa.Text()))
    op.add_column("orders", sa.Column("recheck_at", _AT))
    _allow_words("orders", "hold", _REASONS)
    op.create_check_constraint(op.f("ck_orders_held"), "orders", "(hold IS NULL) = (held_since IS NULL)")
    op.create_index("ix_orders_held", "orders", ["recheck_at"], postgresql_where="hold IS NOT NULL")
    # The defaults stay: others insert broker accounts, and know nothing of this.
    op.add_column("broker_accounts", sa.Column("probes", sa.Integer(), server_default="0", nullable=False))
    op.add_column("broker_accounts", sa.Column("probe_at", _AT))
    op.add_column("broker_accounts", sa.Column("is_read_refused", sa.Boolean(), server_default="false", nullable=False))
    codes = _words("alarms", "code")
    for code, after in _CODES.items():
        codes.insert(codes.index(after) + 1, code)
    _replace_words("alarms", "code", codes)
    _replace_words("slice_events", "kind", [*_words("slice_events", "kind"), *_KINDS])


def downgrade() -> None:
    listed = ", ".join(f"'{code}'" for code in _CODES)
    for table in ("alarm_events", "alarms"):
        op.execute(f"DELETE FROM {table} WHERE code IN ({listed})")  # noqa: S608
    # Kept, so that nobody's feed has a gap.
    op.execute(
        "UPDATE slice_events SET kind = 'REQUEST', detail = detail || jsonb_build_object('request', lower(kind))"
        " WHERE kind IN ('HELD', 'RELEASED')"
    )
    _replace_words("slice_events", "kind", [word for word in _words("slice_events", "kind") if word not in _KINDS])
    _replace_words("alarms", "code", [code for code in _words("alarms", "code") if code not in _CODES])
    for name in ("is_read_refused", "probe_at", "probes"):
        op.drop_column("broker_accounts", name)
    op.drop_index("ix_orders_held", "orders")
    for name in ("recheck_at", "hold_message", "held_since", "hold"):
        op.drop_column("orders", name)


def _words(table: str, column: str) -> list[str]:
    """Those that are allowed now: other revisions may have added some."""
    named = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    definition = op.get_bind().execute(named, {"name": f"ck_{table}_{column}"}).scalar_one()
    return re.findall(r"'(\w+)'", definition)


def _replace_words(table: str, column: str, allowed: list[str]) -> None:
    op.drop_constraint(op.f(f"ck_{table}_{column}"), table)
    _allow_words(table, column, allowed)


def _allow_words(table: str, column: str, allowed: list[str] | tuple[str, ...]) -> None:
    listed = ", ".join(f"'{word}'" for word in allowed)
    op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, f"{column} IN ({listed})")
