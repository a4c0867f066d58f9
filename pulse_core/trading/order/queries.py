"""What a client may know of its orders, read in one transaction each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from api_contract.errors import NotFound
from api_contract.ids import ORDER_ID
from api_contract.vocabulary import FINAL_ORDERS, OrderResult, OrderStatus, OrderType, Product, Side, SliceStatus
from pulse_core import cursors, db
from pulse_core.owner import EveryAccount, OneAccount, Owner
from pulse_core.trading.exposure import Exposure, StatusTotals, exposure, leaves_quantity
from pulse_core.trading.store import orders, slices, totals
from pulse_core.trading.store.orders import OrderFilters
from pulse_core.trading.tables import Order, OrderSlice

__all__ = ["OrderFilters", "OrderPage", "OrderReport", "SliceReport", "order_page", "order_report", "slice_reports"]


@dataclass(frozen=True)
class SplitConfig:
    num_splits: int
    duration_minutes: int
    randomize: bool


@dataclass(frozen=True)
class OrderReport:
    """An order as clients see it; `slices` counts its slices by status."""

    order_id: str
    account_id: str
    order_unique_key: str
    instrument: str
    side: Side
    total_quantity: int
    split_config: SplitConfig
    order_type: OrderType
    limit_price: Decimal | None
    start_at: datetime
    end_at: datetime
    product: Product | None
    slice_timeout_seconds: int | None
    client_note: str | None
    status: OrderStatus
    result: OrderResult | None
    skip_reason: str | None
    filled_quantity: int
    leaves_quantity: int
    average_price: Decimal | None
    exposure: Exposure
    slices: Mapping[SliceStatus, int]
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class OrderOrigin:
    """Where an order came from; `trace` holds the ids of the request that placed it."""

    order_id: str
    order_unique_key: str
    account_id: str
    trace: Mapping[str, str]


@dataclass(frozen=True)
class SliceReport:
    """A slice as clients see it."""

    slice_id: str
    sequence_number: int
    quantity: int
    scheduled_at: datetime
    status: SliceStatus
    sent_at: datetime | None
    attempts: int
    broker_order_id: str | None
    filled_quantity: int
    average_price: Decimal | None
    error_code: str | None
    error_message: str | None


@dataclass(frozen=True)
class OrderPage:
    """Orders, newest first, and the cursor of the next page, None on the last."""

    orders: Sequence[OrderReport]
    next_cursor: str | None


def order_origin(owner: Owner, order_id: str) -> OrderOrigin:
    """Whose order it is. Raises NotFound."""
    with db.transaction() as session:
        order = orders.of_owner(session, owner, order_id)
    if order is None:
        raise NotFound("there is no such order")
    return OrderOrigin(order.id, order.order_unique_key, order.account_id, order.trace)


def order_report(owner: Owner, order_id: str) -> OrderReport:
    """One order of the owner. Raises NotFound."""
    with db.transaction() as session:
        order = orders.of_owner(session, owner, order_id)
        if order is None:
            raise NotFound("there is no such order")
        return _report(order, totals.of_order(session, order_id))


def slice_reports(owner: Owner, order_id: str) -> list[SliceReport]:
    """The slices of one order of the owner, in sequence; none before it is split. Raises NotFound."""
    with db.transaction() as session:
        if orders.of_owner(session, owner, order_id) is None:
            raise NotFound("there is no such order")
        return [_slice_report(one) for one in slices.of_order(session, order_id)]


def slice_report(order_id: str, slice_id: str) -> SliceReport:
    """One slice of an order, whoever owns it. Raises NotFound."""
    with db.transaction() as session:
        one = slices.get(session, slice_id)
    if one is None or one.order_id != order_id:
        raise NotFound("there is no such slice")
    return _slice_report(one)


def order_page(
    owner: Owner, filters: OrderFilters, limit: int, cursor: str | None, *, oldest_first: bool = False
) -> OrderPage:
    """Up to `limit` orders, newest first unless asked otherwise.

    Raises InvalidRequest for a cursor that Pulse did not give out for this owner and this way of sorting.
    """
    scope = f"{_in_cursors(owner)} {oldest_first}"
    beyond = cursors.decode(cursor, scope, ORDER_ID) if cursor is not None else None
    with db.transaction() as session:
        found = orders.page(session, owner, filters, limit + 1, beyond, oldest_first=oldest_first)
        shown = found[:limit]
        parts = totals.of_orders(session, [order.id for order in shown])
    reports = [_report(order, parts.get(order.id, [])) for order in shown]
    return OrderPage(reports, cursors.encode(shown[-1].id, scope) if len(found) > limit else None)


def _report(order: Order, parts: Sequence[StatusTotals]) -> OrderReport:
    is_pending = order.status is OrderStatus.PENDING
    return OrderReport(
        order_id=order.id,
        account_id=order.account_id,
        order_unique_key=order.order_unique_key,
        instrument=order.instrument,
        side=order.side,
        total_quantity=order.total_quantity,
        split_config=SplitConfig(order.num_splits, order.duration_minutes, order.randomize),
        order_type=order.order_type,
        limit_price=order.limit_price,
        start_at=order.start_at,
        end_at=order.end_at,
        product=order.product,
        slice_timeout_seconds=order.slice_timeout_seconds,
        client_note=order.client_note,
        status=order.status,
        result=order.result,
        skip_reason=order.skip_reason,
        filled_quantity=order.filled_quantity,
        leaves_quantity=leaves_quantity(order.total_quantity, order.filled_quantity, order.status in FINAL_ORDERS),
        average_price=order.average_price,
        exposure=Exposure(unsent=order.total_quantity) if is_pending else exposure(parts),
        slices={one.status: one.slices for one in parts},
        created_at=order.created_at,
        updated_at=order.updated_at,
        finished_at=order.finished_at,
    )


def _slice_report(one: OrderSlice) -> SliceReport:
    return SliceReport(
        slice_id=one.id,
        sequence_number=one.sequence_number,
        quantity=one.quantity,
        scheduled_at=one.scheduled_at,
        status=one.status,
        sent_at=one.sent_at,
        attempts=one.attempts,
        broker_order_id=one.broker_order_id,
        filled_quantity=one.filled_quantity,
        average_price=one.average_price,
        error_code=one.error_code,
        error_message=one.error_message,
    )


def _in_cursors(owner: Owner) -> str:
    match owner:
        case OneAccount(account_id):
            return account_id
        case EveryAccount():
            # Clients hold cursors that were signed with this word.
            return "None"
