"""What the database was asked while a block ran, counted by pg_stat_statements in a run that is not timed."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from bench.stack import Site

_RELOAD_SECONDS = 0.5
_ASKED = """SELECT calls, query FROM pg_stat_statements JOIN pg_database ON oid = dbid
    WHERE datname = current_database() ORDER BY calls DESC"""
_TRANSACTION_WORDS = ("BEGIN", "COMMIT", "ROLLBACK")


@dataclass
class Statements:
    """Calls by statement, those that begin and end transactions apart."""

    calls: dict[str, int] = field(default_factory=dict)
    transactions: int = 0

    @property
    def total(self) -> int:
        return sum(self.calls.values())

    def containing(self, text: str) -> int:
        """Calls of the statements in which this text occurs."""
        return sum(count for query, count in self.calls.items() if text in query)

    def per(self, operations: int, most: int = 25) -> dict[str, float]:
        """Calls for each operation, the most frequent statements first."""
        first = sorted(self.calls.items(), key=lambda one: -one[1])[:most]
        return {" ".join(query.split())[:160]: round(count / operations, 2) for query, count in first}


@contextmanager
def counted(site: Site) -> Iterator[Statements]:
    """Count what this site's database is asked; filled in when the block ends."""
    found = Statements()
    site.ask("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    _track(site, "top")
    try:
        yield found
    finally:
        _track(site, "none")
    with closing(site.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(_ASKED)
        for calls, query in cursor.fetchall():
            if query.upper().startswith("COMMIT"):
                found.transactions += calls
            if not query.upper().startswith(_TRANSACTION_WORDS):
                found.calls[query] = found.calls.get(query, 0) + calls


def _track(site: Site, what: str) -> None:
    site.ask(f"ALTER SYSTEM SET pg_stat_statements.track = '{what}'")
    site.ask("SELECT pg_reload_conf()")
    # The server's processes learn of it by a signal.
    time.sleep(_RELOAD_SECONDS)
    if what != "none":
        site.ask("SELECT pg_stat_statements_reset()")
