"""Bring an order's totals and status in line with its slices."""

from contextlib import suppress
from datetime import datetime

from sqlalchemy.orm import Session

from api_contract.vocabulary import FINAL_ORDERS, FINAL_SLICES, OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.batching import for_each
from pulse_core.errors import LostRace
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.status import order_result
from pulse_core.trading.store import events, orders, slices, totals
from pulse_core.trading.tables import Order


def roll_up(session: Session, order: Order, now: datetime) -> None:
    """Recompute a locked order from its slices, and finish it when all of them are final.

    What is still unsent of an order being cancelled is cancelled here.
    """
    if order.status is OrderStatus.CANCELLING:
        end_unsent(session, order, SliceStatus.CANCELLED, now)
    parts = totals.of_order(session, order.id)
    filled = sum(one.filled for one in parts)
    if filled != order.filled_quantity:
        _refresh_totals(session, order, now)
    is_split = order.status not in (OrderStatus.PENDING, *FINAL_ORDERS)
    if is_split and all(one.status in FINAL_SLICES for one in parts):
        _finish(session, order, filled, now)


def end_unsent(session: Session, order: Order, to: SliceStatus, now: datetime, **why: str) -> None:
    """Move to their end all slices of a locked order that nobody has claimed."""
    for one in slices.unsent(session, order.id):
        # They are not locked: one that a worker claims at this moment is followed from there.
        with suppress(LostRace):
            slices.move(session, one, to, now, **why)


class _Round:
    """Goes round the live orders, each process on its own."""

    def __init__(self) -> None:
        self._last_seen = ""

    def next_orders(self, session: Session, limit: int) -> list[str]:
        following = list(orders.live(session, self._last_seen, limit))
        if len(following) < limit:
            following += orders.live(session, "", limit - len(following))
        self._last_seen = following[-1] if following else ""
        return following


_round = _Round()


def finish_orders(now: datetime, limit: int = 100) -> int:
    """Finish orders that were left open with nothing left to do; returns how many there were.

    Looks at `limit` live orders each time and goes on with the next ones: an order is settled with each of its slices,
    so there is hardly ever one to find, and looking at all of them would cost more the more there are.
    """
    with db.transaction() as session:
        left_open = orders.to_finish(session, _round.next_orders(session, limit))

    def finish(order_id: str) -> None:
        with db.transaction() as session:
            order = orders.lock(session, order_id)
            if order is not None:
                roll_up(session, order, now)

    for_each(left_open, finish)
    return len(left_open)


def _refresh_totals(session: Session, order: Order, now: datetime) -> None:
    filled, average = orders.fill_totals(session, order.id)
    if filled > order.total_quantity:
        code = AlarmCode.ORDER_OVERFILLED
        events.alarm(session, code, order.id, None, now, filled=filled, total=order.total_quantity)
    result = order_result(order.total_quantity, filled) if order.status in FINAL_ORDERS else None
    orders.change(session, order.id, now, filled_quantity=filled, average_price=average, result=result)


def _finish(session: Session, order: Order, filled: int, now: datetime) -> None:
    to = OrderStatus.CANCELLED if order.status is OrderStatus.CANCELLING else OrderStatus.DONE
    orders.move(session, order, to, now, result=order_result(order.total_quantity, filled), finished_at=now)
