"""The schedule of an order: which slice is due when, from what is known of the order and the hours of its market."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pulse_core.markets.hours import Hours
from pulse_core.trading import schedule
from pulse_core.trading.schedule import PlannedSlice, Sizes
from pulse_core.trading.sessions import trading_time
from pulse_core.trading.tables import Order
from pulse_core.trading.trading_time import TradingTime


def slices_of(order: Order, time: TradingTime) -> list[PlannedSlice]:
    """All slices of an order, in the time in which its market takes it.

    Raises ValueError where that is never, and when its quantity cannot be cut into such slices.
    """
    if not time.stretches:
        raise ValueError("the order's market takes it at no time in its window")
    planned = schedule.plan(
        order.total_quantity,
        order.num_splits,
        order.start_at,
        time.length,
        order.seed if order.randomize else None,
        Sizes(order.lot_size, order.most_per_slice),
    )
    return [replace(one, scheduled_at=time.at(one.scheduled_at - order.start_at)) for one in planned]


def time_for(row: Mapping[str, Any], known: Hours) -> TradingTime:
    """When the market takes an order that is not made, by the columns of the row that it would have."""
    return trading_time(known, _draft(row))


def plan_for_row(row: Mapping[str, Any], time: TradingTime) -> list[PlannedSlice]:
    """All slices of such an order. Raises ValueError as above."""
    return slices_of(_draft(row), time)


def _draft(row: Mapping[str, Any]) -> Order:
    return Order(**{_ATTRIBUTES.get(name, name): value for name, value in row.items()})


_ATTRIBUTES = {"broker": "broker_account"}
