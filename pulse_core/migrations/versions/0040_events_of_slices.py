"""Events are looked up by their slice only for alarms and broker calls: three of five need no place in that index."""

import sqlalchemy as sa

from pulse_core.migrations.gently import add_index, drop_index

revision = "0040"
down_revision = "0039"

# The code of before finds the events of one slice, for an operator, by reading them all.
WORKS_WITH_CODE_FROM = "0037"

_TABLE, _COLUMNS = "slice_events", ["slice_id", "id"]
_WHOLE, _SOME = "ix_slice_events_slice_id_id", "ix_slice_events_of_slice"


def upgrade() -> None:
    add_index(_SOME, _TABLE, _COLUMNS, postgresql_where=sa.text("kind IN ('ALARM', 'BROKER_CALL')"))
    drop_index(_WHOLE, _TABLE)


def downgrade() -> None:
    add_index(_WHOLE, _TABLE, _COLUMNS)
    drop_index(_SOME, _TABLE)
