"""What a migration does to tables with many rows, so that orders trade meanwhile: nothing is locked for long.

Each of these commits what came before it in its revision, and each may be repeated. So a revision that uses one does
nothing that cannot be: it is begun anew when a table was in use for too long, and when its process was killed.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

# So many rows are locked together, for some tens of milliseconds.
BATCH = 2000
_IS_BROKEN = sa.text("SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid)")


def add_index(name: str, table: str, columns: Sequence[str], **options: Any) -> None:
    """Make an index while rows are written; what is left of an attempt that was broken off is removed first."""
    with op.get_context().autocommit_block():
        if op.get_bind().scalar(_IS_BROKEN, {"name": name}):
            op.drop_index(name, table, postgresql_concurrently=True)
        op.create_index(name, table, columns, postgresql_concurrently=True, if_not_exists=True, **options)


def drop_index(name: str, table: str) -> None:
    """Remove an index while rows are written."""
    with op.get_context().autocommit_block():
        op.drop_index(name, table, postgresql_concurrently=True, if_exists=True)


def set_check(name: str, table: str, condition: str) -> None:
    """Make or replace a CHECK: it holds for new rows at once, and the others are looked at while rows are written.

    Raises IntegrityError where one of these breaks it.
    """
    with op.get_context().autocommit_block():
        replaced = f"DROP CONSTRAINT IF EXISTS {name}, ADD CONSTRAINT {name} CHECK ({condition}) NOT VALID"
        op.execute(f"ALTER TABLE {table} {replaced}")
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def change_rows(statement: str, table: str, condition: str, key: str = "id", batch: int = BATCH) -> int:
    """Change or delete the rows that the condition names, in batches by their key; returns how many there were.

    The statement has no condition of its own: `UPDATE fills SET side = 'BUY'`. Rows that are written meanwhile may be
    missed: a default, or the code of before, has to give them what they need.
    """
    first = sa.text(f"SELECT min({key}) FROM {table}")  # noqa: S608
    rest = f"SELECT {key} FROM {table} WHERE {key} >= :first ORDER BY {key} LIMIT :batch"  # noqa: S608
    last = sa.text(f"SELECT max(found.{key}), count(*) FROM ({rest}) AS found")  # noqa: S608
    change = sa.text(f"{statement} WHERE {key} BETWEEN :first AND :last AND ({condition})")
    changed = 0
    with op.get_context().autocommit_block():
        connection, found = op.get_bind(), batch
        place = {"first": connection.scalar(first), "last": None}
        while found == batch:
            place["last"], found = connection.execute(last, {"first": place["first"], "batch": batch}).one()
            changed += connection.execute(change, place).rowcount
            place["first"] = place["last"]
    return changed
