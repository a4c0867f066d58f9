"""Every task by its name on the wire, its queue, and how often each sweep runs.

A sweep and the function that it runs have one name.
"""

from collections.abc import Mapping
from enum import StrEnum


class Task(StrEnum):
    SPLIT_ORDER = "pulse.split_order"
    EXECUTE_SLICE = "pulse.execute_slice"
    RETRY_SLICE = "pulse.retry_slice"
    REPORT_PROCESS = "pulse.report_process"
    DISPATCH_DUE_SLICES = "pulse.dispatch_due_slices"
    TRACK_SLICES = "pulse.track_slices"
    SPLIT_FORGOTTEN_ORDERS = "pulse.split_forgotten_orders"
    EXPIRE_CLAIMS = "pulse.expire_claims"
    RESOLVE_SLICES = "pulse.resolve_slices"
    CANCEL_SLICES = "pulse.cancel_slices"
    REPLAN_ORDERS = "pulse.replan_orders"
    FINISH_ORDERS = "pulse.finish_orders"
    END_FORGOTTEN_PAUSES = "pulse.end_forgotten_pauses"
    RECONCILE = "pulse.reconcile"
    END_DAY = "pulse.end_day"
    WATCH_HOLD = "pulse.watch_hold"
    RECHECK_HOLDS = "pulse.recheck_holds"
    WATCH_HALTS = "pulse.watch_halts"
    RECHECK_MONEY = "pulse.recheck_money"
    RESOLVE_ALARMS = "pulse.resolve_alarms"
    WATCH_LOGINS = "pulse.watch_logins"
    DELIVER_WEBHOOKS = "pulse.deliver_webhooks"
    LOAD_INSTRUMENTS = "pulse.load_instruments"
    COMPARE_CALENDARS = "pulse.compare_calendars"
    FORGET_ANSWERS = "pulse.forget_answers"
    READ_PRICES = "pulse.read_prices"


DEFAULT_QUEUE = "control"
SLICES_QUEUE = "slices"
ROUTES: Mapping[str, Mapping[str, str]] = {Task.EXECUTE_SLICE.value: {"queue": SLICES_QUEUE}}
QUEUES = (SLICES_QUEUE, DEFAULT_QUEUE)

# How many seconds lie between two runs of each sweep.
PERIODS: Mapping[Task, float] = {
    Task.DISPATCH_DUE_SLICES: 1,
    Task.TRACK_SLICES: 1,
    Task.SPLIT_FORGOTTEN_ORDERS: 3,
    Task.EXPIRE_CLAIMS: 3,
    Task.RESOLVE_SLICES: 2,
    Task.CANCEL_SLICES: 1,
    Task.REPLAN_ORDERS: 1,
    Task.FINISH_ORDERS: 5,
    Task.END_FORGOTTEN_PAUSES: 30,
    Task.RECONCILE: 30,
    Task.END_DAY: 30,
    Task.WATCH_HOLD: 3,
    Task.RECHECK_HOLDS: 1,
    Task.WATCH_HALTS: 1,
    Task.RECHECK_MONEY: 5,
    Task.RESOLVE_ALARMS: 5,
    Task.WATCH_LOGINS: 10,
    Task.DELIVER_WEBHOOKS: 2,
    Task.LOAD_INSTRUMENTS: 5,
    Task.COMPARE_CALENDARS: 15,
    Task.FORGET_ANSWERS: 60,
    Task.READ_PRICES: 1,
}
