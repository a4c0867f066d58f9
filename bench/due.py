"""Orders that are accepted and split, and their slices moved to the instants at which they come due."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.children import BenchError
from bench.clients import load_orders, tomorrow
from bench.stack import Site

UNSPLIT = "SELECT count(*) FROM orders WHERE status = 'PENDING'"
UNRECORDED = "SELECT count(*) FROM order_slices WHERE status IN ('SCHEDULED', 'SENDING')"
UNFINISHED = "SELECT count(*) FROM orders WHERE finished_at IS NULL"

# Longer than a sweep needs to hand them out, so that the first of them is not late for that.
LEAD_SECONDS = 6.0
CONNECTIONS = 4
_PATIENCE_SECONDS = 120.0
_POLL_SECONDS = 0.05
_WINDOW = timedelta(minutes=60)

# Slices of all orders in turns, the orders of one turn scattered.
_BROUGHT = """UPDATE order_slices SET scheduled_at = turns.at, due_at = turns.at
    FROM (SELECT id, %s + (row_number() OVER (ORDER BY sequence_number, md5(order_id)) - 1) * %s AS at
          FROM order_slices WHERE order_id = ANY(%s)) turns
    WHERE turns.id = order_slices.id"""

# Each claim looks at the pace of its order, which lets all of it go.
_WITHOUT_A_BRAKE = """UPDATE orders SET start_at = %s, end_at = %s,
        most_per_interval = total_quantity, pace_interval = interval '1 s'
    WHERE id = ANY(%s)"""


def accept_and_split(
    site: Site,
    tokens: Sequence[str],
    orders: int,
    slices_per_order: int,
    connections: int = CONNECTIONS,
    each: Sequence[Mapping[str, Any]] = (),
) -> list[str]:
    """The ids of so many new orders whose slices all exist, and lie a day ahead.

    A connection stays with one token, and with what one of `each` says of its orders.
    """
    known = {order_id for (order_id,) in site.ask("SELECT id FROM orders")}
    there = {"num_splits": slices_per_order, "start_at": tomorrow()}
    load_orders(site.gapi_port, tokens, connections, 120, most=orders, each=each, **there)
    wait_until_none(site, UNSPLIT)
    return [order_id for (order_id,) in site.ask("SELECT id FROM orders") if order_id not in known]


def bring_due(site: Site, order_ids: Sequence[str], first: datetime, spacing_seconds: float = 0.0) -> None:
    """Move the slices of these orders to `first` and on, so many seconds from one to the next."""
    site.ask(_BROUGHT, first, timedelta(seconds=spacing_seconds), list(order_ids))
    site.ask(_WITHOUT_A_BRAKE, first, first + _WINDOW, list(order_ids))


def soon() -> datetime:
    """The earliest instant for the first slice."""
    return datetime.now(UTC) + timedelta(seconds=LEAD_SECONDS)


def sleep_until(instant: datetime) -> None:
    time.sleep(max(instant.timestamp() - time.time(), 0))


def wait_until_none(site: Site, what_is_left: str, patience_seconds: float = _PATIENCE_SECONDS) -> float:
    """The instant from which on this query counts nothing any more, in seconds since the epoch."""
    ends_at = time.monotonic() + patience_seconds
    with closing(site.connect()) as connection, connection.cursor() as cursor:
        while True:
            cursor.execute(what_is_left)
            (left,) = cursor.fetchone()
            if left == 0:
                return time.time()
            if time.monotonic() > ends_at:
                raise BenchError(f"{left} left after {patience_seconds:.0f} s of: {what_is_left}")
            time.sleep(_POLL_SECONDS)
