"""A forked child holds its parent's sockets: Postgres would take anything sent on them for the parent's.

So every connection of a process is gone in its children, without a word to Postgres, and they connect anew.
"""

import os
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import psycopg2
from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

_engines: WeakSet[Engine] = WeakSet()
_entries: WeakSet[ConnectionPoolEntry] = WeakSet()


def install(engine: Engine) -> None:
    """Leave the connections of this engine to the process that made them."""
    _engines.add(engine)
    event.listen(engine, "connect", _note)


def _note(_driver_connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    _entries.add(entry)


def _leave_connections_to_the_parent() -> None:
    for entry in list(_entries):
        _drop(entry)
    for engine in list(_engines):
        engine.dispose(close=False)


def _drop(entry: Any) -> None:
    if entry.dbapi_connection is None:
        return
    # The descriptor alone: the driver's close would end the parent's session, and an open one outlive the parent's.
    with suppress(OSError, psycopg2.Error):
        os.close(entry.dbapi_connection.fileno())
    in_use = entry.fairy_ref and entry.fairy_ref()
    if in_use:
        # SQLAlchemy takes it for cut, so that nothing is sent at the end of the block that uses it.
        in_use.dbapi_connection = None
    entry.dbapi_connection = None


os.register_at_fork(after_in_child=_leave_connections_to_the_parent)
