"""What is looked for again and again, because every message may be lost.

Each sweep is bounded, safe to run any number of times at once, and needs nothing but Postgres and the broker.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pulse_core.services import (
    day_end,
    dispatch,
    pause,
    recall,
    reconcile,
    recovery,
    resolve,
    settle,
    split,
    track,
    webhooks,
)


@dataclass(frozen=True)
class Sweep:
    """A service call that returns how much it found, and how many seconds lie between two runs.

    A run that is asked for earlier than `rest` times the duration of the last one is left out: another is on its way.
    """

    run: Callable[[datetime], int]
    every: float
    rest: float = 0.0


SWEEPS: Mapping[str, Sweep] = {
    "pulse.dispatch_due_slices": Sweep(dispatch.dispatch_due_slices, every=1),
    # In a rush every fill is a hint. Reading the whole book of a long day for each would leave time for nothing else,
    # and the news of one order cost least when many are settled together.
    "pulse.track_slices": Sweep(track.track_slices, every=1, rest=1),
    "pulse.split_forgotten_orders": Sweep(split.split_forgotten, every=3),
    "pulse.expire_claims": Sweep(resolve.expire_claims, every=3),
    "pulse.resolve_slices": Sweep(resolve.resolve_slices, every=2),
    "pulse.cancel_slices": Sweep(recall.cancel_slices, every=1),
    "pulse.finish_orders": Sweep(settle.finish_orders, every=5),
    "pulse.end_forgotten_pauses": Sweep(pause.end_forgotten_pauses, every=30),
    "pulse.reconcile": Sweep(reconcile.reconcile, every=30),
    "pulse.end_day": Sweep(day_end.end_day, every=30),
    "pulse.watch_hold": Sweep(recovery.watch_hold, every=3),
    "pulse.deliver_webhooks": Sweep(webhooks.start_deliveries, every=2),
}
