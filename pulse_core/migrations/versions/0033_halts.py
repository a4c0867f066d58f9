"""Halts: what nothing new is sent of, and the attempts that were at the broker when that began."""

import re

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"

_AT = sa.DateTime(timezone=True)
_DEFINITION = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name"


def upgrade() -> None:
    op.create_table(
        "halts",
        sa.Column("id", sa.String(31), nullable=False),
        sa.Column("account_id", sa.String(30)),
        sa.Column("broker", sa.String(20)),
        sa.Column("instrument", sa.String(49)),
        sa.Column("working", sa.String(20), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("made_by", sa.String(64), nullable=False),
        sa.Column("made_at", _AT, nullable=False),
        sa.Column("told_at", _AT),
        sa.Column("quiet_at", _AT),
        sa.Column("release_asked_by", sa.String(64)),
        sa.Column("release_asked_at", _AT),
        sa.Column("released_at", _AT),
        sa.CheckConstraint("working IN ('cancel', 'keep')", name=op.f("ck_halts_working")),
        sa.CheckConstraint(
            "(release_asked_at IS NULL) = (release_asked_by IS NULL)", name=op.f("ck_halts_who_released")
        ),
        sa.CheckConstraint("released_at IS NULL OR release_asked_at IS NOT NULL", name=op.f("ck_halts_released")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_halts")),
    )
    op.create_index("ix_halts_watched", "halts", ["id"], postgresql_where="released_at IS NULL OR quiet_at IS NULL")
    op.create_table(
        "halted_attempts",
        sa.Column("halt_id", sa.String(31), nullable=False),
        sa.Column("client_order_id", sa.String(20), nullable=False),
        sa.Column("filled_before", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_order_id"], ["placements.client_order_id"], name=op.f("fk_halted_attempts_client_order_id")
        ),
        sa.PrimaryKeyConstraint("halt_id", "client_order_id", name=op.f("pk_halted_attempts")),
    )
    # The id of a halt is a character longer than what alarms were about before.
    op.alter_column("alarms", "subject", type_=sa.String(31))
    _allow("alarms", "code", "HALTED", before="ACCOUNT_HELD")
    _allow("orders", "hold", "HALTED", before="AWAITING_TOKEN")
    _allow("order_slices", "cancel_reason", "HALTED")


def downgrade() -> None:
    op.execute("DELETE FROM alarm_events WHERE code = 'HALTED'")
    op.execute("DELETE FROM alarms WHERE code = 'HALTED'")
    op.execute("UPDATE order_slices SET cancel_reason = 'ORDER_CANCELLED' WHERE cancel_reason = 'HALTED'")
    _forbid("order_slices", "cancel_reason", "HALTED")
    _forbid("orders", "hold", "HALTED")
    _forbid("alarms", "code", "HALTED")
    op.alter_column("alarms", "subject", type_=sa.String(30))
    op.drop_table("halted_attempts")
    op.drop_table("halts")


def _allow(table: str, column: str, word: str, before: str | None = None) -> None:
    words = _words(table, column)
    words.insert(len(words) if before is None else words.index(before), word)
    _state(table, column, words)


def _forbid(table: str, column: str, word: str) -> None:
    _state(table, column, [one for one in _words(table, column) if one != word])


def _words(table: str, column: str) -> list[str]:
    """Those that are allowed now: other revisions may have added some."""
    definition = op.get_bind().execute(sa.text(_DEFINITION), {"name": f"ck_{table}_{column}"}).scalar_one()
    return re.findall(r"'(\w+)'", definition)


def _state(table: str, column: str, words: list[str]) -> None:
    name = f"ck_{table}_{column}"
    op.drop_constraint(op.f(name), table)
    listed = ", ".join(f"'{one}'" for one in words)
    op.create_check_constraint(op.f(name), table, f"{column} IN ({listed})")
