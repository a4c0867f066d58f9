"""The sweeps: what is looked for regularly, because any message may be lost.

Each sweep is bounded, safe to run any number of times at once, and needs nothing but Postgres and the broker.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pulse_core.events import deliverer
from pulse_core.tasks import Task
from pulse_core.trading import inbox, order_totals
from pulse_core.trading.book import look_ups
from pulse_core.trading.order import pause, split
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice import cancel_working, day_end, dispatch, leases, reconcile, resolve, track


@dataclass(frozen=True)
class Sweep:
    """A service call that returns how much it found, and how many seconds lie between two runs.

    Who asks for a run may hint at what there is to find; `take_hint` gets that, and the run comes after it.
    """

    run: Callable[[datetime], int]
    every: float
    take_hint: Callable[[str], None] | None = None


SWEEPS: Mapping[Task, Sweep] = {
    Task.DISPATCH_DUE_SLICES: Sweep(dispatch.dispatch_due_slices, every=1),
    Task.TRACK_SLICES: Sweep(track.track_slices, every=1, take_hint=look_ups.take_hint),
    Task.SPLIT_FORGOTTEN_ORDERS: Sweep(split.split_forgotten_orders, every=3),
    Task.EXPIRE_CLAIMS: Sweep(leases.expire_claims, every=3),
    Task.RESOLVE_SLICES: Sweep(resolve.resolve_slices, every=2),
    Task.CANCEL_SLICES: Sweep(cancel_working.cancel_slices, every=1),
    Task.FINISH_ORDERS: Sweep(order_totals.finish_orders, every=5),
    Task.END_FORGOTTEN_PAUSES: Sweep(pause.end_forgotten_pauses, every=30),
    Task.RECONCILE: Sweep(reconcile.reconcile, every=30),
    Task.END_DAY: Sweep(day_end.end_day, every=30),
    Task.WATCH_HOLD: Sweep(sending_hold.watch_hold, every=3),
    Task.RESOLVE_ALARMS: Sweep(inbox.resolve_alarms, every=5),
    Task.DELIVER_WEBHOOKS: Sweep(deliverer.deliver_webhooks, every=2),
}
