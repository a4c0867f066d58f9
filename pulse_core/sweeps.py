"""The sweeps: what is looked for regularly, because any message may be lost.

Each sweep is bounded, safe to run any number of times at once, and needs nothing but Postgres and the broker.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pulse_core import calendar_comparing, instrument_loading
from pulse_core.broker_accounts import watch_logins
from pulse_core.events import deliverer
from pulse_core.idempotency import answers
from pulse_core.tasks import PERIODS, Task
from pulse_core.trading import inbox, order_totals, prices, replan_orders
from pulse_core.trading.book import hints
from pulse_core.trading.halts import watch
from pulse_core.trading.order import pause, recheck, recheck_money, split
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


_RUNS: Mapping[Task, Callable[[datetime], int]] = {
    Task.DISPATCH_DUE_SLICES: dispatch.dispatch_due_slices,
    Task.TRACK_SLICES: track.track_slices,
    Task.SPLIT_FORGOTTEN_ORDERS: split.split_forgotten_orders,
    Task.EXPIRE_CLAIMS: leases.expire_claims,
    Task.RESOLVE_SLICES: resolve.resolve_slices,
    Task.CANCEL_SLICES: cancel_working.cancel_slices,
    Task.REPLAN_ORDERS: replan_orders.replan_orders,
    Task.FINISH_ORDERS: order_totals.finish_orders,
    Task.END_FORGOTTEN_PAUSES: pause.end_forgotten_pauses,
    Task.RECONCILE: reconcile.reconcile,
    Task.END_DAY: day_end.end_day,
    Task.WATCH_HOLD: sending_hold.watch_hold,
    Task.RECHECK_HOLDS: recheck.recheck_holds,
    Task.WATCH_HALTS: watch.watch_halts,
    Task.RECHECK_MONEY: recheck_money.recheck_money,
    Task.RESOLVE_ALARMS: inbox.resolve_alarms,
    Task.WATCH_LOGINS: watch_logins.watch_logins,
    Task.DELIVER_WEBHOOKS: deliverer.deliver_webhooks,
    Task.LOAD_INSTRUMENTS: instrument_loading.load_instruments,
    Task.COMPARE_CALENDARS: calendar_comparing.compare_calendars,
    Task.FORGET_ANSWERS: answers.forget_answers,
    Task.READ_PRICES: prices.read_prices,
}
_HINTS: Mapping[Task, Callable[[str], None]] = {Task.TRACK_SLICES: hints.take_hint}

# Their periods stand with the tasks' names: beat needs no more.
SWEEPS: Mapping[Task, Sweep] = {task: Sweep(run, PERIODS[task], _HINTS.get(task)) for task, run in _RUNS.items()}
