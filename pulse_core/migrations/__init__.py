"""Database migrations, driven from code: no alembic.ini and no working directory needed."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from pulse_core.db import psycopg2_url


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database to `revision`; the migrations of one call run in one transaction."""
    command.upgrade(_config(database_url), revision)


def downgrade(database_url: str, revision: str) -> None:
    """Take the database back to `revision`; "base" empties it."""
    command.downgrade(_config(database_url), revision)


def current(database_url: str) -> str | None:
    """The revision the database is at, None when it was never migrated."""
    engine = create_engine(psycopg2_url(database_url), connect_args={"connect_timeout": 2})
    try:
        with engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()


def head() -> str:
    """The newest revision of the code."""
    newest = ScriptDirectory(str(Path(__file__).parent)).get_current_head()
    assert newest is not None  # noqa: S101
    return newest


def _config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["database_url"] = psycopg2_url(database_url)
    return config
