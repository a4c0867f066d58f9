"""Gateways and Flower are among the processes: they are made for no revision of the tables."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"

WORKS_WITH_CODE_FROM = "0037"

_OF_BEFORE = ("pulse", "worker-slices", "worker-control", "worker", "beat")
_ADDED = ("gapi", "flower")


def upgrade() -> None:
    _allow((*_OF_BEFORE, *_ADDED))
    op.alter_column("processes", "schema_revision", existing_type=sa.String(32), nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM processes WHERE kind IN ('gapi', 'flower')")
    op.alter_column("processes", "schema_revision", existing_type=sa.String(32), nullable=False)
    _allow(_OF_BEFORE)


def _allow(kinds: tuple[str, ...]) -> None:
    op.drop_constraint(op.f("ck_processes_kind"), "processes")
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.create_check_constraint(op.f("ck_processes_kind"), "processes", f"kind IN ({listed})")
