"""Bring the totals and the status of orders in line with their slices."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import datetime

from sqlalchemy.orm import Session

from api_contract.vocabulary import FINAL_ORDERS, FINAL_SLICES, OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.batching import for_each
from pulse_core.errors import LostRace
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.exposure import StatusTotals
from pulse_core.trading.order_window import COMING_BACK, is_catching_up
from pulse_core.trading.status import order_result
from pulse_core.trading.store import events, orders, roll_ups, schedules, slices, totals
from pulse_core.trading.store.events import Event
from pulse_core.trading.store.roll_ups import RolledUp
from pulse_core.trading.tables import Order


def roll_up(session: Session, order: Order, now: datetime) -> None:
    """Recompute a locked order from its slices, and finish it when all of them are final.

    What is still unsent of an order being cancelled is cancelled here.
    """
    roll_up_all(session, [order], now)


def roll_up_all(session: Session, locked: Collection[Order], now: datetime) -> None:
    """The same for locked orders, in a bounded number of statements however many they are."""
    parts = totals.of_orders(session, [order.id for order in locked])
    half_cancelled = [order for order in locked if _is_half_cancelled(order, parts.get(order.id, ()))]
    for order in half_cancelled:
        end_unsent(session, order, SliceStatus.CANCELLED, now)
    if half_cancelled:
        parts |= totals.of_orders(session, [order.id for order in half_cancelled])
    filled_anew = [order.id for order in locked if _filled(parts.get(order.id, ())) != order.filled_quantity]
    booked = roll_ups.fill_totals(session, filled_anew) if filled_anew else {}
    with_rest = {order.id for order in locked if comes_back(order, parts.get(order.id, ()), now)}
    if with_rest:
        schedules.ask(session, with_rest, now)
    overfilled: list[Event] = []
    rolled: list[RolledUp] = []
    for order in locked:
        is_filled_anew = order.id in filled_anew
        filled, average = order.filled_quantity, order.average_price
        if is_filled_anew:
            filled, average = booked.get(order.id, (0, None))
            overfilled += _overfilled(order, filled)
        to = order.status if order.id in with_rest else _comes_to(order, parts.get(order.id, ()))
        if is_filled_anew or to is not order.status:
            result = order_result(order.total_quantity, filled) if to in FINAL_ORDERS else None
            rolled.append(RolledUp(order.id, order.status, to, filled, average, result))
    events.add_all(session, [*overfilled, *roll_ups.roll_up(session, rolled, now)], now)


def end_unsent(session: Session, order: Order, to: SliceStatus, now: datetime, **why: str) -> None:
    """Move to their end all slices of a locked order that nobody has claimed."""
    for one in slices.unsent(session, order.id):
        # They are not locked: one that a worker claims at this moment is followed from there.
        with suppress(LostRace):
            slices.move(session, one, to, now, **why)


_RUNNING = frozenset({OrderStatus.IN_PROGRESS, OrderStatus.PAUSED})


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


def _is_half_cancelled(order: Order, parts: Iterable[StatusTotals]) -> bool:
    return order.status is OrderStatus.CANCELLING and any(one.status is SliceStatus.SCHEDULED for one in parts)


def _filled(parts: Iterable[StatusTotals]) -> int:
    return sum(one.filled for one in parts)


def _overfilled(order: Order, filled: int) -> list[Event]:
    if filled <= order.total_quantity:
        return []
    return [events.an_alarm(AlarmCode.ORDER_OVERFILLED, order.id, None, filled=filled, total=order.total_quantity)]


def comes_back(order: Order, parts: Iterable[StatusTotals], now: datetime) -> bool:
    """Whether something that has ended unfilled is still to be planned anew: so long the order is not over."""
    if order.status not in _RUNNING or not is_catching_up(order, now):
        return False
    found = list(parts)
    left = sum(one.leaves for one in found if one.status in COMING_BACK)
    others = sum(one.filled + (one.leaves if one.status not in COMING_BACK else 0) for one in found)
    return min(left, order.total_quantity - others) > 0


def _comes_to(order: Order, parts: Iterable[StatusTotals]) -> OrderStatus:
    """The status of an order that was split: final once all of its slices are."""
    is_split = order.status not in (OrderStatus.PENDING, *FINAL_ORDERS)
    if not is_split or not all(one.status in FINAL_SLICES for one in parts):
        return order.status
    return OrderStatus.CANCELLED if order.status is OrderStatus.CANCELLING else OrderStatus.DONE
