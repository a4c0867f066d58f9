from alembic import context
from sqlalchemy import create_engine, text

from pulse_core.schema import METADATA

# Two migrations at once would race for the same tables: the second waits here.
MIGRATION_LOCK = 7_075_132


def run() -> None:
    engine = create_engine(context.config.attributes["database_url"], connect_args={"connect_timeout": 5})
    with engine.connect() as connection, connection.begin():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        context.configure(connection=connection, target_metadata=METADATA)
        context.run_migrations()
    engine.dispose()


run()
