"""End slices that can never go out."""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from api_contract.vocabulary import SliceStatus
from pulse_core import db
from pulse_core.config import settings
from pulse_core.markets import hours
from pulse_core.markets.hours import Hours
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.order_totals import end_unsent, roll_up
from pulse_core.trading.sessions import cut_off_passed
from pulse_core.trading.store import events, slices
from pulse_core.trading.tables import Order, OrderSlice

CUT_OFF_PASSED = "CUT_OFF_PASSED"


class Reason(NamedTuple):
    """Why a slice ends: its code, and the sentence for it."""

    code: str
    message: str


def why_never(known: Hours, order: Order, one: OrderSlice, now: datetime) -> Reason | None:
    """Why a slice can never go out, None when it may."""
    if order.end_at < now - timedelta(seconds=settings().late_grace):
        if order.hold is not None:
            return Reason("HELD", f"its order's window closed while the order was held: {order.hold.meaning}")
        return Reason("WINDOW_CLOSED", "its order's window closed before the slice could go out")
    if one.filled_quantity >= one.quantity:
        return Reason("ALREADY_FILLED", "late fills of an earlier attempt left nothing to send")
    if (cut_off := cut_off_passed(known, order, now)) is not None:
        product = known.terms(order.order_type, order.product).product
        return Reason(CUT_OFF_PASSED, f"{product} is not taken after {cut_off:%Y-%m-%d %H:%M:%S} UTC")
    return None


def skip_over(slice_id: str, now: datetime) -> None:
    """Skip a due slice that can never go out; past the cut-off of its product all that is unsent of its order."""
    known = hours.current()
    with db.transaction() as session:
        one = slices.get(session, slice_id)
        if one is None:
            return
        reason = why_never(known, session.get_one(Order, one.order_id), one, now)
        if reason is not None:
            _skip(session, slice_id, now, reason)


def _skip(session: Session, slice_id: str, now: datetime, reason: Reason) -> None:
    order, one = slices.lock(session, slice_id)
    # It was seen without a lock: a cancellation may have come first.
    if one.status is not SliceStatus.SCHEDULED:
        return
    why = {"error_code": reason.code, "error_message": reason.message}
    if reason.code == CUT_OFF_PASSED:
        end_unsent(session, order, SliceStatus.SKIPPED, now, **why)
        events.alarm(session, AlarmCode.CUT_OFF_PASSED, order.id, None, now, message=reason.message)
    else:
        slices.move(session, one, SliceStatus.SKIPPED, now, **why)
    roll_up(session, order, now)
