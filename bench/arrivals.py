"""What the exchange saw, by its own ledger, beside what was due and what was recorded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bench.children import BenchError
from bench.stack import Site
from pulse_ops.paper_exchange.ledger import Arrival, Ledger


@dataclass(frozen=True)
class Sent:
    """A slice that the exchange accepted: when it was due, and when it came in."""

    order_id: str
    scheduled_at: datetime
    arrived_at: datetime

    @property
    def late_ms(self) -> float:
        return (self.arrived_at - self.scheduled_at).total_seconds() * 1000


@dataclass(frozen=True)
class Seen:
    """A fill: when the exchange traded it, and after how many milliseconds ours was committed."""

    traded_at: datetime
    after_ms: float


def arrivals(site: Site) -> list[Arrival]:
    """Every placement request, refused ones too."""
    found: list[Arrival] = []
    for path in site.ledgers.values():
        with Ledger(path) as ledger:
            found += ledger.arrivals()
    return found


def sent_slices(
    site: Site, before: datetime | None = None, *, of: Sequence[str] | None = None, is_complete: bool = True
) -> list[Sent]:
    """The slices due before an instant, of these orders, that arrived.

    Raises BenchError when one did not, unless that is allowed.
    """
    rows = site.ask(
        "SELECT order_id, client_order_id, scheduled_at FROM order_slices"
        " WHERE (%s::timestamptz IS NULL OR scheduled_at < %s) AND (%s::text[] IS NULL OR order_id = ANY(%s))"
        " ORDER BY scheduled_at",
        *(before, before, *(None if of is None else list(of),) * 2),
    )
    arrived = {one.tag: one.arrived_at for one in reversed(arrivals(site)) if one.outcome == "ACCEPTED"}
    missing = sum(client_order_id not in arrived for _order_id, client_order_id, _at in rows)
    if missing and is_complete:
        raise BenchError(f"{missing} of {len(rows)} slices did not arrive at the exchange")
    return [
        Sent(order_id, at, arrived[client_order_id])
        for order_id, client_order_id, at in rows
        if client_order_id in arrived
    ]


def fills_seen_ms(site: Site) -> Sequence[float]:
    """Milliseconds from the exchange's trade to the commit of our fill, for each of them."""
    return [one.after_ms for one in fills_seen(site)]


def fills_seen(site: Site, of: Sequence[str] | None = None) -> list[Seen]:
    """When each fill of these orders, or of all, was traded and committed."""
    rows = site.ask(
        "SELECT fills.broker, fills.broker_order_id, pg_xact_commit_timestamp(fills.xmin) FROM fills"
        " JOIN order_slices ON order_slices.id = slice_id WHERE %s::text[] IS NULL OR order_id = ANY(%s)",
        *(None if of is None else list(of),) * 2,
    )
    traded: dict[tuple[str, str], datetime] = {}
    for account, path in site.ledgers.items():
        with Ledger(path) as ledger:
            traded |= {(account, one.order_id): one.traded_at for one in ledger.trades()}
    return [
        Seen(traded[account, order_id], (seen - traded[account, order_id]).total_seconds() * 1000)
        for account, order_id, seen in rows
    ]
