"""Which database this process is connected to, and whether another has taken its place.

A database that was restored, or a standby that was promoted, may have forgotten what this process has seen committed.
It gives itself away: by another system identifier, timeline, or table, or by a log that ends before the place that it
had reached.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from psycopg2 import OperationalError
from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection

from api_contract.log import get_logger

log = get_logger(__name__)

STANDBY = "this server is a standby: name the primary, or give target_session_attrs=read-write"
# Flushed: what was only written may be gone after a crash that lost no commit.
LOOK = """
    SELECT concat_ws('/', system_identifier, left(pg_walfile_name(flushed), 8), d.oid, to_regclass('placements')::oid),
           (flushed - '0/0')::bigint
      FROM (SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_flush_lsn() END AS flushed) log,
           pg_control_system(), pg_database d
     WHERE d.datname = current_database()
"""


class Standby(OperationalError):  # type: ignore[misc]
    """A server that takes no writes until it is promoted."""


@dataclass(frozen=True)
class Seen:
    """What identifies a database, and how far its log has come."""

    database: str
    position: int


class Lineage:
    """What a process has seen of the database of one engine. `breaks` counts how often it turned out another one.

    `setbacks` are those of the breaks that nothing but the end of the log gives away.
    """

    def __init__(self) -> None:
        self.seen: Seen | None = None
        self.breaks = 0
        self.setbacks = 0
        self._counted: Seen | None = None
        self._lock = threading.Lock()

    def look(self, connection: DBAPIConnection, remembered: Seen | None = None) -> Seen:
        """See which database this connection leads to. Raises Standby.

        `remembered` is what another process has seen, noted before this call.
        """
        before = self.seen
        cursor = connection.cursor()
        try:
            cursor.execute(LOOK)
            database, position = cursor.fetchone()  # type: ignore[misc]
        finally:
            cursor.close()
        if position is None:
            # After its promotion nobody would notice that this connection leads to another database than the others.
            raise Standby(STANDBY)
        return self._compare(before, Seen(database, position), remembered)

    def _compare(self, before: Seen | None, found: Seen, remembered: Seen | None = None) -> Seen:
        with self._lock:
            if before is not None and found.database != before.database:
                self.breaks += 1
                log.warning("another database took the place of ours", seen=before.database, found=found.database)
            elif before is not None and found.position < before.position:
                self._count_setback(before, found)
            elif remembered is not None and remembered != self._counted and _is_behind(found, remembered):
                self._counted = remembered
                self._count_setback(remembered, found)
            elif self.seen is not None and self.seen.database == found.database:
                # Two connections may be looked at in any order; the furthest counts.
                found = max(self.seen, found, key=lambda one: one.position)
            self.seen = found
        return found

    def _count_setback(self, before: Seen, found: Seen) -> None:
        self.breaks += 1
        self.setbacks += 1
        log.warning("the log of the database went back", seen=before.position, found=found.position)


def _is_behind(found: Seen, remembered: Seen) -> bool:
    return found.database == remembered.database and found.position < remembered.position


@cache
def lineage(engine: Engine) -> Lineage:
    """What this process has seen of the engine's database."""
    return Lineage()


def install(engine: Engine, of: Callable[[], Engine] | None = None) -> None:
    """Look at every new connection of this engine before it is used; `of`: they lead to the database of another one."""

    def look(connection: DBAPIConnection, _record: object) -> None:
        lineage(of() if of else engine).look(connection)
        connection.rollback()

    event.listen(engine, "connect", look)
