from alembic import context
from sqlalchemy import create_engine, text

from pulse_core.postgres.handshake import note_oldest_code
from pulse_core.schema import METADATA

# Two migrations at once would race for the same tables: the second waits here.
MIGRATION_LOCK = 7_075_132
LOCK_TIMEOUT = "2s"


def run() -> None:
    engine = create_engine(context.config.attributes["database_url"], connect_args={"connect_timeout": 5})
    with engine.connect() as connection, connection.begin():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        # Whoever waits for a table holds up all who come after: better to give up, and to come again.
        connection.execute(text("SELECT set_config('lock_timeout', :longest, true)"), {"longest": LOCK_TIMEOUT})
        context.configure(connection=connection, target_metadata=METADATA)
        context.run_migrations()
        note_oldest_code(connection, context.get_context().get_current_revision())
    engine.dispose()


run()
