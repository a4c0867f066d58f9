"""A figure looked at again and again while something else is measured."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Event, Thread
from typing import Any

import redis

from bench.stack import OURS, Site
from pulse_ops.stack import processes

# Where Celery keeps what a worker has taken and not finished, eta tasks that wait for their time included.
_UNACKNOWLEDGED = "unacked"


@contextmanager
def sampled(look: Callable[[], float], every: float) -> Iterator[list[float]]:
    """What `look` returned, every so many seconds, until the block ends; at least once."""
    values = [look()]
    is_over = Event()

    def keep_looking() -> None:
        while not is_over.wait(every):
            values.append(look())

    thread = Thread(target=keep_looking, name="samples", daemon=True)
    thread.start()
    try:
        yield values
    finally:
        is_over.set()
        thread.join()


@contextmanager
def queue_depth(site: Site, every: float = 0.5) -> Iterator[list[float]]:
    """How many messages wait in the queues or with the workers."""
    with closing(redis.Redis.from_url(site.redis_url)) as client:

        def look() -> float:
            lengths: list[Any] = [client.llen(name) for name in processes.QUEUES]
            unacknowledged: Any = client.hlen(_UNACKNOWLEDGED)
            return float(sum(lengths) + unacknowledged)

        with sampled(look, every) as values:
            yield values


@contextmanager
def connections(site: Site, every: float = 0.2) -> Iterator[list[float]]:
    """How many connections the site's processes hold to Postgres."""
    with closing(site.connect()) as connection, connection.cursor() as cursor:

        def look() -> float:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name <> %s",
                (OURS,),
            )
            return float(cursor.fetchone()[0])

        with sampled(look, every) as values:
            yield values
