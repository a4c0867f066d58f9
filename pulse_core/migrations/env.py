from collections.abc import Collection
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text

from pulse_core.postgres.handshake import note_oldest_code
from pulse_core.schema import METADATA

# Two migrations at once would race for the same tables: the second waits here.
MIGRATION_LOCK = 7_075_132
LOCK_TIMEOUT = "2s"


def run() -> None:
    engine = create_engine(context.config.attributes["database_url"], connect_args={"connect_timeout": 5})
    # The lock has a transaction of its own, as each revision commits by itself.
    with engine.connect() as guard, guard.begin(), engine.connect() as connection:
        guard.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        # Whoever waits for a table holds up all who come after: better to give up, and to come again.
        connection.execute(text("SELECT set_config('lock_timeout', :longest, false)"), {"longest": LOCK_TIMEOUT})
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=METADATA,
            transaction_per_migration=True,
            on_version_apply=_note,  # type: ignore[arg-type]
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


def _note(*, ctx: MigrationContext, heads: Collection[Any], **_step: Any) -> None:
    assert ctx.connection is not None  # noqa: S101
    note_oldest_code(ctx.connection, max(heads, default=None))


run()
