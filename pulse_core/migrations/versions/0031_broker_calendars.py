"""What brokers tell of the days ahead, and the alarm of a difference from the calendars of the release."""

import re

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0031"
down_revision = "0030"

_AT = sa.DateTime(timezone=True)
_CODE, _BEFORE = "CALENDAR_DIFFERS", "LOGIN_ATTACK"
_DEFINITION = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_alarms_code'"


def upgrade() -> None:
    op.create_table(
        "broker_calendars",
        sa.Column("broker", sa.String(20), nullable=False),
        sa.Column("asked_at", _AT),
        sa.Column("told_at", _AT),
        sa.Column("exchanges", JSONB(), nullable=False),
        sa.Column("first_day", sa.Date()),
        sa.Column("last_day", sa.Date()),
        sa.Column("days", JSONB(), nullable=False),
        sa.Column("differences", JSONB(), nullable=False),
        sa.Column("clock_ahead", sa.Double()),
        sa.Column("reason", sa.String(300)),
        sa.PrimaryKeyConstraint("broker", name=op.f("pk_broker_calendars")),
    )
    codes = _codes()
    codes.insert(codes.index(_BEFORE), _CODE)
    _allow(codes)


def downgrade() -> None:
    op.execute("DELETE FROM alarm_events WHERE code = 'CALENDAR_DIFFERS'")
    op.execute("DELETE FROM alarms WHERE code = 'CALENDAR_DIFFERS'")
    _allow([code for code in _codes() if code != _CODE])
    op.drop_table("broker_calendars")


def _codes() -> list[str]:
    """Those that are allowed now: other revisions may have added some."""
    definition = op.get_bind().execute(sa.text(_DEFINITION)).scalar_one()
    return re.findall(r"'(\w+)'", definition)


def _allow(codes: list[str]) -> None:
    op.drop_constraint(op.f("ck_alarms_code"), "alarms")
    listed = ", ".join(f"'{code}'" for code in codes)
    op.create_check_constraint(op.f("ck_alarms_code"), "alarms", f"code IN ({listed})")
