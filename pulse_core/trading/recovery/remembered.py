"""How far the database's log had come when a process last looked, kept where no restore of the database reaches.

A snapshot of a disk that is put back has the system identifier and the timeline that it had. Its log ends earlier, as
only somebody notices who has seen it further, and all who had may have been stopped. So it is kept in the Redis of the
queue. If that is lost, too, each process still compares the broker's book before it sends.
"""

import json
from contextlib import suppress
from functools import cache

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from pulse_core.config import settings
from pulse_core.postgres.lineage import Seen

KEY = "pulse-database-seen"
PATIENCE_SECONDS = 1.0


def last_seen() -> Seen | None:
    """What was noted last, of whatever database; None while Redis is away, or another queue takes its place.

    Ask before looking at the database: what is seen later has come further.
    """
    with suppress(RedisError, ValueError, TypeError, KeyError):
        client = _client(settings().queue_url.get_secret_value())
        noted = client.get(_key()) if client else None
        told = json.loads(noted) if noted else None
        return Seen(str(told["database"]), int(told["position"])) if told else None
    return None


def note(seen: Seen | None) -> None:
    """Remember this in place of what was noted before."""
    with suppress(RedisError):
        client = _client(settings().queue_url.get_secret_value())
        if client and seen:
            client.set(_key(), json.dumps({"database": seen.database, "position": seen.position}))


@cache
def _client(url: str) -> Redis | None:
    if not url.startswith(("redis://", "rediss://")):
        return None
    patience = {"socket_timeout": PATIENCE_SECONDS, "socket_connect_timeout": PATIENCE_SECONDS}
    return Redis.from_url(url, retry=Retry(NoBackoff(), 0), **patience)


def _key() -> str:
    return settings().queue_prefix + KEY
