"""What a block wrote in Postgres: WAL, commits, tables on disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.stack import Site

# Tables and their indexes. A server's WAL is that of all its databases: the others are at rest.
_ASKED = """SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint,
    (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),
    (SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
     WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace)"""


@dataclass
class Written:
    """Differences over a block; `disk_bytes` are those of tables with their indexes."""

    wal_bytes: int = 0
    commits: int = 0
    disk_bytes: int = 0


@contextmanager
def written(site: Site) -> Iterator[Written]:
    """Filled in when the block ends. A backend tells its commits up to ten seconds after it has become idle."""
    found = Written()
    (before,) = site.ask(_ASKED)
    yield found
    (after,) = site.ask(_ASKED)
    found.wal_bytes, found.commits, found.disk_bytes = (now - then for now, then in zip(after, before, strict=True))
