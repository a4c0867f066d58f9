"""A trading floor: real workers and beat against the paper exchange, with a Redis of its own."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from celery import Celery

from pulse_core import config, queue
from pulse_ops.paper_exchange.ledger import Arrival, Ledger
from tests.support import servers
from tests.support.limits import set_limits
from tests.support.processes import Processes
from tests.support.servers import RunningRedis

QUICK = {"PULSE_OVERDUE_AFTER": "1", "PULSE_BROKER_TIMEOUT": "3", "PULSE_LEASE": "8", "PULSE_SETTLE_DELAY": "3"}
NO_LIMIT = 10**6


@dataclass
class Floor:
    """A trading floor for one test: the exchange is open, the workers come as they are called."""

    processes: Processes
    redis: RunningRedis
    ledger_path: Path

    def placed(self) -> dict[str, int]:
        """How often each client order id was accepted by the exchange."""
        with Ledger(self.ledger_path) as ledger:
            return Counter(one.tag or "" for one in ledger.orders())

    def arrivals(self) -> list[Arrival]:
        """Every request that reached the exchange, refused ones too."""
        with Ledger(self.ledger_path) as ledger:
            return ledger.arrivals()


@contextmanager
def running_floor(environment: Mapping[str, str], folder: Path, per_second: int | None = None) -> Iterator[Floor]:
    """With a Redis of its own, which may be stopped; this process sends its wake-ups there too.

    `per_second` is how many calls the exchange takes in a second, as every process of pulse knows, and as many as come
    of it in a minute and a day.
    """
    limits = {} if per_second is None else {"PULSE_PAPER_ORDERS_PER_SECOND": str(per_second)}
    with pytest.MonkeyPatch.context() as patch, servers.running_redis(folder) as redis:
        app = Celery("pulse", set_as_current=False)
        app.config_from_object("celeryconfig")
        app.conf.broker_url = redis.url
        patch.setattr(queue, "app", lambda: app)
        if per_second is not None:
            longer = {f"PULSE_PAPER_ORDERS_PER_{window}": str(NO_LIMIT) for window in ("MINUTE", "DAY")}
            limits |= longer | set_limits(patch, per_second)
        processes = Processes(folder, {**environment, **QUICK, **limits, "PULSE_QUEUE_URL": redis.url})
        try:
            ledger_path = folder / "ledger.sqlite"
            _exchange, url = processes.exchange(ledger_path)
            processes.environment = {**processes.environment, "PULSE_PAPER_EXCHANGE_URL": url}
            yield Floor(processes, redis, ledger_path)
        finally:
            processes.close()
            app.close()
    config.settings.cache_clear()
