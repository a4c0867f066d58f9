"""How this process stands: its connections, its clock, its disk, its fences, and whether and how much it may send."""

import shutil
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from functools import cache
from pathlib import Path

from api_contract.errors import ServiceUnavailable
from api_contract.log import get_logger
from api_contract.metrics import Metric, Process, family, gauge
from pulse_core import brokers, clock, db
from pulse_core.broker_accounts.credentials import login_ends_at
from pulse_core.metrics import fences, notes
from pulse_core.metrics.switch import CORE
from pulse_core.trading.admission.left import budget_left
from pulse_core.trading.recovery import sending_hold

log = get_logger(__name__)

FRESH_SECONDS = 5.0

CONNECTIONS = gauge("pulse_database_connections", "Connections of the pool, in_use or idle.", "state", by=CORE)
CONNECTIONS_LIMIT = gauge(
    "pulse_database_connections_limit", "Most connections of the pool, overflow included.", by=CORE
)
CLOCK_AHEAD = gauge(
    "pulse_clock_ahead_seconds",
    "How far the machine's clock is ahead of the database's; 0 while that was not measured.",
    by=CORE,
    mode="livemostrecent",
)
DISK_FREE = gauge(
    "pulse_disk_free_bytes",
    "Free bytes on the disk of the folder that the process runs in.",
    by=CORE,
    mode="livemostrecent",
)
WORKER = [Process.WORKER]
FENCES = family("pulse_fences_held", "Fences that this process holds.", by=WORKER)
FENCE_OLDEST = family(
    "pulse_fence_oldest_seconds", "Age of the oldest fence that this process holds; 0 without one.", by=WORKER
)
CLEARED = family(
    "pulse_sending_cleared",
    "1 when this process has compared the book of every account it reaches with its database, and may send; else 0.",
    by=WORKER,
)
BUDGET_LEFT = family(
    "pulse_broker_budget_left",
    "Placements that the broker's limits have room for now, of all workers together; absent without limits.",
    "broker",
    "window",
    by=WORKER,
)
TOKEN_END = family(
    "pulse_broker_token_end_timestamp_seconds",
    "Latest instant at which the broker's token that this process has still works; absent when not known.",
    "broker",
    by=WORKER,
)


def refresh() -> Iterable[Metric]:
    """Set what is set rather than looked up, as several processes may have to be added up, and add up what is noted."""
    notes.add_up()
    if db.is_used():
        connections = db.pool_status()
        CONNECTIONS.labels("in_use").set(connections.in_use)
        CONNECTIONS.labels("idle").set(connections.idle)
        CONNECTIONS_LIMIT.set(connections.limit)
    ahead = clock.wall_ahead()
    if ahead is not None:
        CLOCK_AHEAD.set(ahead)
    with suppress(OSError):
        DISK_FREE.set(shutil.disk_usage(Path.cwd()).free)
    return ()


def keep_fresh() -> None:
    """Refresh for as long as the process lives: another process may answer `/metrics` for this one."""

    def run() -> None:
        while True:
            refresh()
            time.sleep(FRESH_SECONDS)

    threading.Thread(target=run, name="metrics", daemon=True).start()


def look_up() -> Iterable[Metric]:
    """What a worker alone knows."""
    ages = fences.ages()
    yield FENCES.just(len(ages))
    yield FENCE_OLDEST.just(max(ages, default=0.0))
    yield from _at_the_brokers()


def look_up_sending() -> Iterable[Metric]:
    """Whether a worker for slices may send."""
    try:
        accounts = brokers.reachable()
    except ServiceUnavailable:
        accounts = ()
    yield CLEARED.just(float(bool(accounts) and all(sending_hold.is_cleared(one.name) for one in accounts)))


def _at_the_brokers() -> Iterable[Metric]:
    left: dict[tuple[str, ...], float] = {}
    token_ends: dict[tuple[str, ...], float] = {}
    try:
        for broker in brokers.reachable():
            left |= {(broker.name, window): most for window, most in (budget_left(broker) or {}).items()}
            if (token_end := login_ends_at(broker.name) or broker.token_ends_at(_started_at())) is not None:
                token_ends[broker.name,] = token_end.timestamp()
    except ServiceUnavailable:
        return
    if left:
        yield BUDGET_LEFT.of(left)
    if token_ends:
        yield TOKEN_END.of(token_ends)


@cache
def _started_at() -> datetime:
    # The token was set before, so this makes its end a little later at most.
    return clock.utcnow()
