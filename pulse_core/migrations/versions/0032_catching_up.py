"""Orders state how they catch up, and may get more slices than they were split into.

Orders of before catch up as is the default. What their cap for an interval is, is known once they are planned anew.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"

_AT = sa.DateTime(timezone=True)
_WORDS = {
    "catch_up": ("spread", ("spread", "next_slice", "burst", "skip")),
    "leftover": ("catch_up", ("catch_up", "drop")),
    "at_end": ("leave", ("leave", "market")),
}
_REASONS = ("NO_ROOM", "WINDOW_OVER", "SKIPPED", "DROPPED", "ODD_LOT", "TOO_MANY_SLICES")
_NUMBERS = {"max_slice_multiple": ("3", "BETWEEN 1 AND 10"), "extend_minutes": ("0", "BETWEEN 0 AND 1440")}
_KIND = "REPLANNED"


def upgrade() -> None:
    # The defaults stay: services of before insert orders and slices, and know nothing of this.
    for name, (default, allowed) in _WORDS.items():
        op.add_column("orders", sa.Column(name, sa.String(20), server_default=default, nullable=False))
        _allow_words("orders", name, allowed)
    for name, (default, range_) in _NUMBERS.items():
        op.add_column("orders", sa.Column(name, sa.SmallInteger(), server_default=default, nullable=False))
        op.create_check_constraint(op.f(f"ck_orders_{name}"), "orders", f"{name} {range_}")
    op.add_column("orders", sa.Column("planned_end_at", _AT))
    op.add_column("orders", sa.Column("pace_interval", sa.Interval()))
    op.add_column("orders", sa.Column("most_per_interval", sa.BigInteger()))
    op.add_column("orders", sa.Column("replan_at", _AT))
    op.add_column("orders", sa.Column("not_fitting_quantity", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("orders", sa.Column("not_fitting_reason", sa.String(20)))
    _allow_words("orders", "not_fitting_reason", _REASONS)
    op.create_index("ix_orders_to_replan", "orders", ["replan_at"], postgresql_where="replan_at IS NOT NULL")
    op.add_column("order_slices", sa.Column("is_last", sa.Boolean(), server_default="false", nullable=False))
    _replace_kinds([*_kinds(), _KIND])


def downgrade() -> None:
    # Kept, so that nobody's feed has a gap.
    op.execute(
        "UPDATE slice_events SET kind = 'REQUEST', detail = detail || jsonb_build_object('request', 'replan')"
        " WHERE kind = 'REPLANNED'"
    )
    _replace_kinds([kind for kind in _kinds() if kind != _KIND])
    op.drop_column("order_slices", "is_last")
    op.drop_index("ix_orders_to_replan", "orders")
    for name in ("not_fitting_reason", "not_fitting_quantity", "replan_at", "most_per_interval", "pace_interval"):
        op.drop_column("orders", name)
    for name in ("planned_end_at", *_NUMBERS, *_WORDS):
        op.drop_column("orders", name)


def _kinds() -> list[str]:
    """Those that are allowed now: other revisions may have added some."""
    named = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_slice_events_kind'")
    return re.findall(r"'(\w+)'", op.get_bind().execute(named).scalar_one())


def _replace_kinds(allowed: list[str]) -> None:
    op.drop_constraint(op.f("ck_slice_events_kind"), "slice_events")
    _allow_words("slice_events", "kind", allowed)


def _allow_words(table: str, column: str, allowed: list[str] | tuple[str, ...]) -> None:
    listed = ", ".join(f"'{word}'" for word in allowed)
    op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, f"{column} IN ({listed})")
