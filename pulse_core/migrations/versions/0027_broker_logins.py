"""Credentials of broker accounts note that somebody was warned of their token's end, and the warning has an alarm."""

import re

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"

_CODE, _BEFORE = "TOKEN_ENDS", "LOGIN_ATTACK"
_DEFINITION = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_alarms_code'"


def upgrade() -> None:
    op.add_column("broker_credentials", sa.Column("warned_at", sa.DateTime(timezone=True)))
    codes = _codes()
    place = codes.index(_BEFORE)
    _allow([*codes[:place], _CODE, *codes[place:]])


def downgrade() -> None:
    op.execute("DELETE FROM alarm_events WHERE code = 'TOKEN_ENDS'")
    op.execute("DELETE FROM alarms WHERE code = 'TOKEN_ENDS'")
    _allow([code for code in _codes() if code != _CODE])
    op.drop_column("broker_credentials", "warned_at")


def _codes() -> list[str]:
    """Those that are allowed now: other revisions may have added some."""
    definition = op.get_bind().execute(sa.text(_DEFINITION)).scalar_one()
    return re.findall(r"'(\w+)'", definition)


def _allow(codes: list[str]) -> None:
    op.drop_constraint(op.f("ck_alarms_code"), "alarms")
    listed = ", ".join(f"'{code}'" for code in codes)
    op.create_check_constraint(op.f("ck_alarms_code"), "alarms", f"code IN ({listed})")
