"""Book fills of slices, new, late and too many alike, and the ends that the broker's book shows."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from api_contract.log import get_logger
from api_contract.vocabulary import FINAL_SLICES, SliceStatus
from pulse_core.brokers.port import BrokerOrder, BrokerOrderStatus
from pulse_core.events.names import EventKind
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.book.shown import Shown
from pulse_core.trading.deadline import end_of_cancelled, end_of_expired
from pulse_core.trading.store import events, fills, placements
from pulse_core.trading.store.endings import Ending, Holding, end_all, hold_all
from pulse_core.trading.store.events import Event
from pulse_core.trading.store.fills import Booked, Totals
from pulse_core.trading.tables import OrderSlice

log = get_logger(__name__)

NOTHING = Totals()


def settle_slices(session: Session, news: Sequence[tuple[OrderSlice, str]], shown: Shown, now: datetime) -> None:
    """Book the fills of these broker orders of locked slices, and take over their ends, as the broker shows them.

    The slices may be of any locked orders: it takes the same few statements however many there are.
    """
    trades = [(one.id, trade) for one, broker_order_id in news for trade in shown.trades.get(broker_order_id, ())]
    added = fills.add(session, shown.broker_account, trades, now)
    totals = fills.totals(session, {one.id for one, _broker_order_id in news})
    changed = {one.id: one for one, _broker_order_id in news if one.id in added}
    told = _fills([(one, added[one.id], totals[one.id].filled) for one in changed.values()])
    endings, holdings = [], []
    for one, broker_order_id in news:
        row, booked = shown.by_broker_order_id.get(broker_order_id), totals.get(one.id, NOTHING)
        if (to := _ending(one, row, booked)) is not None:
            endings.append(_ended(one, to, row, booked))
        elif one.id in added:
            holdings.append(Holding(one.id, booked.filled, booked.average))
    hold_all(session, holdings, now)
    events.add_all(session, [*told, *end_all(session, endings, now)], now)
    over = [one for slice_, one in news if _is_over(shown.by_broker_order_id.get(one), totals.get(slice_.id, NOTHING))]
    placements.end(session, shown.broker_account, over, now)


def _fills(filled: Iterable[tuple[OrderSlice, Booked, int]]) -> list[Event]:
    """What there is to tell of slices, what was booked for each, and how many shares that makes."""
    told, alarms = [], []
    for one, booked, total in filled:
        added = booked.quantity
        told.append(Event(EventKind.FILL, one.order_id, one.id, None, fill_told(booked, total)))
        log.info("slice filled", order_id=one.order_id, slice_id=one.id, quantity=added, filled_quantity=total)
        if one.status in FINAL_SLICES:
            code = AlarmCode.FILL_AFTER_END
            alarms.append(events.an_alarm(code, one.order_id, one.id, status=one.status, quantity=added))
        if total > one.quantity:
            code = AlarmCode.SLICE_OVERFILLED
            alarms.append(events.an_alarm(code, one.order_id, one.id, filled=total, quantity_asked=one.quantity))
    return told + alarms


def fill_told(booked: Booked, total: int) -> dict[str, Any]:
    """What the event of a fill says; an instant as clients read it."""
    return {
        "quantity": booked.quantity,
        "filled_quantity": total,
        "price": booked.price,
        "traded_at": booked.traded_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
    }


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
        case BrokerOrderStatus.EXPIRED:
            return end_of_expired(one.cancel_reason)


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
