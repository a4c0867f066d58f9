"""A paused order may call back what works at the broker, and orders may be amended while they are under way."""

import re

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    # The default stays: services of before insert orders, and know nothing of this.
    op.add_column("orders", sa.Column("recalls_working", sa.Boolean(), server_default="false", nullable=False))
    _allow("order_slices", "cancel_reason", "ORDER_PAUSED")
    _allow("slice_events", "kind", "AMENDED")


def downgrade() -> None:
    # Kept, so that nobody's feed has a gap.
    op.execute(
        "UPDATE slice_events SET kind = 'REQUEST', detail = detail || jsonb_build_object('request', 'amend')"
        " WHERE kind = 'AMENDED'"
    )
    # What was called back ends as it would have at its deadline.
    op.execute("UPDATE order_slices SET cancel_reason = 'DEADLINE' WHERE cancel_reason = 'ORDER_PAUSED'")
    _forbid("slice_events", "kind", "AMENDED")
    _forbid("order_slices", "cancel_reason", "ORDER_PAUSED")
    op.drop_column("orders", "recalls_working")


def _allow(table: str, column: str, word: str) -> None:
    _replace_words(table, column, [*_words(table, column), word])


def _forbid(table: str, column: str, word: str) -> None:
    _replace_words(table, column, [one for one in _words(table, column) if one != word])


def _words(table: str, column: str) -> list[str]:
    """Those that are allowed now: other revisions may have added some."""
    named = sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name")
    definition = op.get_bind().execute(named, {"name": f"ck_{table}_{column}"}).scalar_one()
    return re.findall(r"'(\w+)'", definition)


def _replace_words(table: str, column: str, allowed: list[str]) -> None:
    listed = ", ".join(f"'{word}'" for word in allowed)
    op.drop_constraint(op.f(f"ck_{table}_{column}"), table)
    op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, f"{column} IN ({listed})")
