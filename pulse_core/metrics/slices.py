"""How late slices are sent, and where they and their orders go."""

from datetime import datetime

from api_contract.metrics import Process, counter, histogram
from api_contract.vocabulary import OrderStatus, SliceStatus
from pulse_core.metrics import switch
from pulse_core.metrics.notes import put_down
from pulse_core.metrics.switch import CORE

LATENESS_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

LATENESS = histogram(
    "pulse_slice_lateness_seconds",
    "Time from when a slice was to be sent until it was: behind its first plan, its current due time, or its turn.",
    "behind",
    by=[Process.WORKER],
    buckets=LATENESS_BUCKETS,
)
SLICE_MOVES = counter("pulse_slice_moves", "Slices that came into a status, committed.", "status", by=CORE)
ORDER_MOVES = counter("pulse_order_moves", "Orders that came into a status, committed.", "status", by=CORE)

_BEHIND = tuple(LATENESS.labels(behind) for behind in ("plan", "due", "turn"))
_OF_SLICES = {status: SLICE_MOVES.labels(status.value).inc for status in SliceStatus}
_OF_ORDERS = {status: ORDER_MOVES.labels(status.value).inc for status in OrderStatus}


def note_sent(planned_at: datetime, due_at: datetime, turn_at: datetime, sent_at: datetime) -> None:
    """Note a slice that was sent; what lies between `due_at` and `turn_at` is the broker's limits, the rest is ours."""
    if switch.is_on():
        put_down(_observe_lateness, sent_at, planned_at, due_at, turn_at)


def note_slices(to: SliceStatus, count: int = 1) -> None:
    """Note moves once they are committed."""
    if switch.is_on():
        put_down(_OF_SLICES[to], count)


def note_order(to: OrderStatus, count: int = 1) -> None:
    """Note moves of orders once they are committed."""
    if switch.is_on():
        put_down(_OF_ORDERS[to], count)


def _observe_lateness(sent_at: datetime, *behind: datetime) -> None:
    for series, at in zip(_BEHIND, behind, strict=True):
        series.observe(max((sent_at - at).total_seconds(), 0.0))
