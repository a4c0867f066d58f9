"""Slices whose outcome Pulse cannot know: an operator finds out and settles them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from api_contract.errors import InvalidState, NotFound
from api_contract.log import get_logger
from api_contract.order_rules import Settlement, check_settlement
from api_contract.vocabulary import SliceStatus
from pulse_core import brokers, db
from pulse_core.brokers import NotConnected
from pulse_core.brokers.port import ALREADY_THERE, BookUnavailable, Broker, BrokerTrade, covers
from pulse_core.config import settings
from pulse_core.db import Fence
from pulse_core.events.names import EventKind
from pulse_core.trading.book import days
from pulse_core.trading.book.adopt import point_at
from pulse_core.trading.book.reading import BOOK_KEPT, read_book
from pulse_core.trading.order_totals import roll_up
from pulse_core.trading.settlement import what_lacks
from pulse_core.trading.slice.fills import NOTHING, fill_told
from pulse_core.trading.store import events, fills, placements, slices
from pulse_core.trading.store.fills import Booked, Totals
from pulse_core.trading.store.slices import END_UNSEEN
from pulse_core.trading.tables import Order, OrderSlice, Placement
from pulse_core.trading.vocabulary import PlacementOutcome

SETTLED_ABSENT = "SETTLED_ABSENT"

log = get_logger(__name__)


@dataclass(frozen=True)
class _Doubt:
    """A slice, and the attempt of it whose outcome or end was never seen."""

    order: Order
    slice: OrderSlice
    attempt: Placement

    @property
    def sent_at(self) -> datetime:
        return self.slice.sent_at or self.attempt.claimed_at


def settle_slice(
    slice_id: str,
    actor: str,
    now: datetime,
    *,
    filled: int | None = None,
    price: Decimal | None = None,
    absent: bool = False,
    reason: str = "",
) -> SliceStatus:
    """Book the outcome of a slice that an operator states, by the rules of `trading.settlement`; returns its status.

    Raises NotFound, InvalidRequest, or InvalidState with the reason why it is not for an operator to say.
    """
    said = Settlement(filled, price, absent, reason)
    check_settlement(said)
    with db.fence(slice_id) as fence:
        if fence is None:
            raise InvalidState(f"slice {slice_id} is being worked on at this moment", {})
        with fence.transaction() as session:
            seen = _doubt(session, slice_id)
        _check_no_book_can_tell(seen, now)
        return _settle(fence, seen, said, actor, now)


def doubted_before(now: datetime) -> datetime:
    """What was sent before this instant, and is UNKNOWN still, is for an operator to settle."""
    if settings().settle_delay == "never":
        return now
    # Listed for all accounts together: the earliest of their days is over for every one. Where ids can be looked up,
    # no day is ever over, and what is UNKNOWN for longer than others' is worth a look all the same.
    of_days = (broker for broker in brokers.reachable() if broker.finder is None)
    return min((days.sent_since(broker, now) for broker in of_days), default=now - BOOK_KEPT)


def _doubt(session: Session, slice_id: str) -> _Doubt:
    if slices.get(session, slice_id) is None:
        raise NotFound(f"there is no slice {slice_id}")
    order, one = slices.lock(session, slice_id)
    attempt = placements.by_client_order_id(session, one.client_order_id or "")
    is_in_doubt = one.status is SliceStatus.UNKNOWN or one.error_code == END_UNSEEN
    if not is_in_doubt or attempt is None:
        raise _refused(one, f"it is {one.status}, and there is nothing to settle")
    return _Doubt(order, one, attempt)


def _check_no_book_can_tell(doubt: _Doubt, now: datetime) -> None:
    try:
        broker = brokers.connect(doubt.order.broker_account)
    except NotConnected as error:
        if doubt.sent_at < now - BOOK_KEPT - days.ON_ITS_WAY:
            return
        raise _refused(doubt.slice, f"its book may still tell, and {error.message}") from None
    if doubt.sent_at < days.sent_since(broker, now):
        return
    is_left_to_operators = settings().settle_delay == "never" or doubt.slice.error_code == ALREADY_THERE
    if covers(broker, doubt.sent_at, now) and not is_left_to_operators:
        raise _refused(doubt.slice, "the broker's book can still tell, and is asked every 2 s")
    _check_book_lacks(broker, doubt, now)


def _check_book_lacks(broker: Broker, doubt: _Doubt, now: datetime) -> None:
    try:
        book = read_book(broker, now, is_checked=True)
    except BookUnavailable as error:
        raise _refused(doubt.slice, f"the broker's book cannot be read for now: {error.message}") from None
    is_shown = doubt.attempt.client_order_id in book.by_client_order_id
    if is_shown or doubt.attempt.broker_order_id in book.by_broker_order_id:
        raise _refused(doubt.slice, "the broker's book shows it; resolve it")
    if not book.is_evidence:
        raise _refused(doubt.slice, "the broker's book lacks orders that the broker acknowledged, and proves nothing")


def _refused(one: OrderSlice, why: str) -> InvalidState:
    return InvalidState(f"slice {one.id} cannot be settled: {why}", {"status": one.status})


def _settle(fence: Fence, seen: _Doubt, said: Settlement, actor: str, now: datetime) -> SliceStatus:
    with fence.transaction() as session:
        doubt = _doubt(session, seen.slice.id)
        if doubt.attempt.client_order_id != seen.attempt.client_order_id:
            raise _refused(doubt.slice, "it was sent again meanwhile")
        _record_request(session, doubt, said, actor, now)
        if said.absent and doubt.attempt.broker_order_id is None:
            _write_off(session, doubt, said, now)
        else:
            _add_fill(session, doubt, said, actor, now)
            _end(session, doubt, now)
        roll_up(session, doubt.order, now)
        settled = slices.get(session, seen.slice.id)
    log.info("slice settled", slice_id=seen.slice.id, actor=actor)
    return seen.slice.status if settled is None else settled.status


def _record_request(session: Session, doubt: _Doubt, said: Settlement, actor: str, now: datetime) -> None:
    stated = {"filled": said.filled, "price": said.price, "absent": said.absent, "reason": said.reason}
    about = {"client_order_id": doubt.attempt.client_order_id, "seen": doubt.slice.status}
    detail: dict[str, Any] = about | {name: value for name, value in stated.items() if value}
    one = doubt.slice
    events.add(session, EventKind.REQUEST, one.order_id, one.id, now, request="settle", actor=actor, **detail)


def _write_off(session: Session, doubt: _Doubt, said: Settlement, now: datetime) -> None:
    """It was never placed: from FAILED an operator may have it sent again, and nobody else does."""
    placements.complete(session, doubt.attempt.client_order_id, PlacementOutcome.ABSENT)
    why = {"error_code": SETTLED_ABSENT, "error_message": said.reason, "sent_at": None}
    if not _is_followed_on(session, doubt, now):
        slices.move(session, doubt.slice, SliceStatus.FAILED, now, **why)


def _is_followed_on(session: Session, doubt: _Doubt, now: datetime) -> bool:
    """Whether another attempt of the slice may be live: then it stays in doubt, for that one."""
    other = placements.live_beside(session, doubt.slice.id, doubt.attempt.client_order_id)
    if other is not None:
        point_at(session, doubt.slice.id, other, now)
    return other is not None


def _add_fill(session: Session, doubt: _Doubt, said: Settlement, actor: str, now: datetime) -> None:
    attempt = doubt.attempt
    broker_order_id = attempt.broker_order_id or attempt.client_order_id
    booked = fills.of_broker_order(session, attempt.broker_account, broker_order_id)
    lacking = what_lacks(said, attempt.quantity, [(one.quantity, one.price) for one in booked])
    if lacking is None:
        return
    trade_id = f"settled-{attempt.client_order_id}-{len(booked) + 1}"
    trade = BrokerTrade(trade_id, broker_order_id, *lacking, traded_at=doubt.sent_at)
    fills.add(session, attempt.broker_account, [(doubt.slice.id, trade)], now, settled_by=actor)
    total = _totals(session, doubt).filled
    detail: dict[str, Any] = fill_told(Booked(trade.quantity, trade.price, trade.traded_at), total) | {"actor": actor}
    events.add(session, EventKind.FILL, doubt.order.id, doubt.slice.id, now, **detail)


def _end(session: Session, doubt: _Doubt, now: datetime) -> None:
    one, attempt, totals = doubt.slice, doubt.attempt, _totals(session, doubt)
    ended_at = attempt.ended_at or now
    placements.complete(session, attempt.client_order_id, PlacementOutcome.ACKNOWLEDGED, ended_at=ended_at)
    changes = {"filled_quantity": totals.filled, "average_price": totals.average}
    changes |= {"error_code": None, "error_message": None}
    slices.change(session, one.id, now, **changes)
    if one.status is SliceStatus.UNKNOWN and not _is_followed_on(session, doubt, now):
        slices.move(session, one, SliceStatus.FILLED if totals.filled >= one.quantity else SliceStatus.EXPIRED, now)


def _totals(session: Session, doubt: _Doubt) -> Totals:
    return fills.totals(session, {doubt.slice.id}).get(doubt.slice.id, NOTHING)
