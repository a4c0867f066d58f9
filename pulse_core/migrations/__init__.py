"""Database migrations, driven from code: no alembic.ini and no working directory needed."""

import time
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg2.errors import LockNotAvailable
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from pulse_core.db import psycopg2_url

# Tables that are in use are asked for again and again; the pauses let through what had to wait behind.
ATTEMPTS = 20
PAUSE_SECONDS = 3.0


def upgrade(database_url: str, revision: str = "head", held_up: Callable[[], object] = lambda: None) -> None:
    """Bring the database to `revision`, each revision in a transaction of its own.

    Each time a table stays in use for longer than the lock timeout, that revision changes nothing, `held_up` is called,
    and it begins anew; raises SQLAlchemy's OperationalError after the last attempt.
    """
    _patiently(lambda: command.upgrade(_config(database_url), revision), held_up)


def downgrade(database_url: str, revision: str, held_up: Callable[[], object] = lambda: None) -> None:
    """Take the database back to `revision`, as patiently; "base" empties it."""
    _patiently(lambda: command.downgrade(_config(database_url), revision), held_up)


def undone_by(database_url: str, revision: str) -> list[str]:
    """A line for each revision that going back to this one undoes, the newest first. Raises CommandError."""
    script = ScriptDirectory(str(Path(__file__).parent))
    # An unknown one is a CommandError here, and nowhere else.
    script.get_revision(revision)
    found = current(database_url)
    undone = script.iterate_revisions(found, revision) if found else ()
    return [f"{one.revision}  {one.doc.splitlines()[0]}" for one in undone if one.revision != revision]


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


def _patiently(migrate: Callable[[], object], held_up: Callable[[], object]) -> None:
    for left in reversed(range(ATTEMPTS)):
        try:
            migrate()
        except OperationalError as error:
            if left == 0 or not isinstance(error.orig, LockNotAvailable):
                raise
            held_up()
            time.sleep(PAUSE_SECONDS)
        else:
            return


def _config(database_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["database_url"] = psycopg2_url(database_url)
    return config
