"""Book fills of slices, new, late and too many alike, and the ends that the broker's book shows."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.vocabulary import FINAL_SLICES, SliceStatus
from pulse_core.brokers.port import BrokerOrder, BrokerOrderStatus
from pulse_core.events.names import EventKind
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.book.reading import Book
from pulse_core.trading.deadline import end_of_cancelled
from pulse_core.trading.store import events, fills, placements, slices
from pulse_core.trading.store.endings import Ending, end_all
from pulse_core.trading.store.fills import Totals
from pulse_core.trading.tables import Order, OrderSlice

log = get_logger(__name__)

NOTHING = Totals()


def settle_slices(
    session: Session, order: Order, news: Sequence[tuple[OrderSlice, str]], book: Book, now: datetime
) -> None:
    """Book the fills of these broker orders of a locked order's slices, and take over their ends from the book."""
    trades = [(one.id, trade) for one, broker_order_id in news for trade in book.trades.get(broker_order_id, ())]
    added = fills.add(session, book.broker, trades, now)
    totals = fills.totals(session, {one.id for one, _broker_order_id in news})
    changed = {one.id: one for one, _broker_order_id in news if one.id in added}
    _record_fills(session, order, [(one, added[one.id], totals[one.id].filled) for one in changed.values()], now)
    endings = []
    for one, broker_order_id in news:
        row, booked = book.by_broker_order_id.get(broker_order_id), totals.get(one.id, NOTHING)
        if (to := _ending(one, row, booked)) is not None:
            endings.append(_ended(one, to, row, booked))
        elif one.id in added:
            slices.change(session, one.id, now, filled_quantity=booked.filled, average_price=booked.average)
    end_all(session, order.id, endings, now)
    over = [one for slice_, one in news if _is_over(book.by_broker_order_id.get(one), totals.get(slice_.id, NOTHING))]
    placements.end(session, book.broker, over, now)


def _record_fills(session: Session, order: Order, filled: Sequence[tuple[OrderSlice, int, int]], now: datetime) -> None:
    """Of each slice, how many shares were added and how many that makes."""
    told = [(one.id, None, {"quantity": added, "filled_quantity": total}) for one, added, total in filled]
    events.add_all(session, EventKind.FILL, order.id, told, now)
    for one, added, total in filled:
        log.info("slice filled", order_id=order.id, slice_id=one.id, quantity=added, filled_quantity=total)
        if one.status in FINAL_SLICES:
            code = AlarmCode.FILL_AFTER_END
            events.alarm(session, code, order.id, one.id, now, status=one.status, quantity=added)
        if total > one.quantity:
            code = AlarmCode.SLICE_OVERFILLED
            events.alarm(session, code, order.id, one.id, now, filled=total, quantity_asked=one.quantity)


def _ending(one: OrderSlice, row: BrokerOrder | None, totals: Totals) -> SliceStatus | None:
    """How the book says that the slice ended."""
    if row is None or one.broker_order_id != row.broker_order_id or one.status is not SliceStatus.WORKING:
        return None
    if not _is_over(row, totals):
        return None
    match row.status:
        case BrokerOrderStatus.OPEN:
            return None
        case BrokerOrderStatus.COMPLETE:
            return SliceStatus.FILLED
        case BrokerOrderStatus.REJECTED:
            return SliceStatus.REJECTED
        case BrokerOrderStatus.CANCELLED:
            return end_of_cancelled(one.cancel_reason)


def _is_over(row: BrokerOrder | None, totals: Totals) -> bool:
    """Whether a broker order has ended; the trade book may lag behind, and an end waits for all its fills."""
    if row is None or row.status is BrokerOrderStatus.OPEN:
        return False
    return totals.of_broker_order.get(row.broker_order_id, 0) >= row.filled_quantity


def _ended(one: OrderSlice, to: SliceStatus, row: BrokerOrder | None, booked: Totals) -> Ending:
    code, message = one.error_code, one.error_message
    if row is not None and to is SliceStatus.REJECTED:
        code, message = "BROKER_REJECTED", row.message
    return Ending(one, to, booked.filled, booked.average, code, message)
