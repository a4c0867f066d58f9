"""What a client may know of its orders, read in one transaction each.

`last_event_id` is read first: whoever follows the events after it misses nothing that is not told here already.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from api_contract.errors import Archived, InvalidRequest, NotFound, PreconditionFailed
from api_contract.ids import ORDER_ID
from api_contract.versions import Expected, etag_of
from api_contract.vocabulary import (
    FINAL_ORDERS,
    HoldReason,
    OrderStatus,
)
from pulse_core import cursors, db
from pulse_core.broker_accounts.store import states
from pulse_core.broker_accounts.store.states import HeldAccount
from pulse_core.markets import files
from pulse_core.owner import EveryAccount, OneAccount, Owner
from pulse_core.trading.exposure import Exposure, StatusTotals, exposure, leaves_quantity
from pulse_core.trading.halt_tables import Halt
from pulse_core.trading.order.arrivals import ArrivalReport, arrival_report
from pulse_core.trading.order.reports import (
    FillPage,
    FillReport,
    HeldReport,
    LateReport,
    NotFittingReport,
    OrderOrigin,
    OrderPage,
    OrderReport,
    OrderSnapshot,
    SliceList,
    SliceReport,
    SplitConfig,
)
from pulse_core.trading.store import events, fills, halts, orders, positions, prices, slices, totals
from pulse_core.trading.store.orders import OrderFilters
from pulse_core.trading.store.totals import UNPLANNED, Pace
from pulse_core.trading.tables import Fill, Order, OrderSlice

FILL_NUMBER = re.compile("[0-9]{1,18}")


def order_origin(owner: Owner, order_id: str) -> OrderOrigin:
    """Whose order it is. Raises NotFound, or Archived."""
    with db.transaction() as session:
        order = _with_slices(session, owner, order_id)
    return OrderOrigin(order.id, order.order_unique_key, order.account_id, order.trace)


def order_report(owner: Owner, order_id: str) -> OrderReport:
    """One order of the owner. Raises NotFound."""
    with db.transaction() as session:
        return _only_report(session, _of_owner(session, owner, order_id))


def order_snapshot(owner: Owner, order_id: str) -> OrderSnapshot:
    """One order of the owner, with where its events stand. Raises NotFound."""
    with db.transaction() as session:
        last_event_id = positions.of_order(session, order_id)
        return _snapshot(_only_report(session, _of_owner(session, owner, order_id)), last_event_id)


def check_expected(session: Session, order: Order, expected: Expected | None) -> None:
    """Raise PreconditionFailed unless this locked order is as `expected`; from here on it stays so.

    Its slices are held too, but none is waited for: where a worker is at one, the order is changing.
    """
    if expected is None or expected.etags is None:
        return
    is_still = slices.hold(session, order.id)
    last_event_id = positions.of_order(session, order.id)
    current = etag_of(_snapshot(_only_report(session, order), last_event_id))
    expected.check(current)
    if not is_still:
        raise PreconditionFailed("a slice of the order is changing at this moment", {"etag": current})


def order_by_key(account_id: str, order_unique_key: str) -> OrderSnapshot:
    """The account's order with this key. Raises NotFound."""
    with db.transaction() as session:
        found = orders.by_unique_key(session, account_id, order_unique_key)
        if found is None:
            raise NotFound("there is no order with this key")
        last_event_id = positions.of_order(session, found.id)
        return _snapshot(_only_report(session, _of_owner(session, OneAccount(account_id), found.id)), last_event_id)


def slice_list(owner: Owner, order_id: str, changed_after: int | None = None) -> SliceList:
    """The slices of one order of the owner; with `changed_after`, those that have changed after this event.

    There are none before it is split. Raises NotFound, or Archived.
    """
    with db.transaction() as session:
        last_event_id = positions.of_order(session, order_id)
        _with_slices(session, owner, order_id)
        if changed_after is None:
            found = slices.of_order(session, order_id)
        else:
            found = slices.changed(session, order_id, changed_after)
        planned = events.planned_quantities(session, order_id)
        return SliceList([_slice_report(one, planned) for one in found], last_event_id)


def fill_page(owner: Owner, order_id: str, limit: int, cursor: str | None) -> FillPage:
    """Up to `limit` trades of one order of the owner.

    Raises NotFound, Archived, or InvalidRequest for a cursor that is none.
    """
    scope = f"fills {order_id}"
    beyond = int(cursors.decode(cursor, scope, FILL_NUMBER)) if cursor is not None else 0
    with db.transaction() as session:
        _with_slices(session, owner, order_id)
        found = fills.page(session, order_id, beyond, limit + 1)
    shown = found[:limit]
    reports = [_fill_report(fill, sequence_number) for fill, sequence_number in shown]
    return FillPage(reports, cursors.encode(str(shown[-1][0].id), scope) if len(found) > limit else None)


def slice_report(order_id: str, slice_id: str) -> SliceReport:
    """One slice of an order, whoever owns it. Raises NotFound."""
    with db.transaction() as session:
        one = slices.get(session, slice_id)
        if one is None or one.order_id != order_id:
            raise NotFound("there is no such slice")
        return _slice_report(one, events.planned_quantities(session, order_id))


def order_page(
    owner: Owner, filters: OrderFilters, limit: int, cursor: str | None, *, oldest_first: bool = False
) -> OrderPage:
    """Up to `limit` orders, newest first unless asked otherwise.

    Raises InvalidRequest for a cursor that Pulse did not give out for this owner and this way of sorting, or for
    `changed_after` without an account: each has numbers of its own.
    """
    if filters.changed_after is not None and not isinstance(owner, OneAccount):
        rule = "with account_id: each account has numbers of its own"
        raise InvalidRequest(f"changed_after is used {rule}", {"field": "changed_after", "rule": rule})
    scope = f"{_in_cursors(owner)} {oldest_first}"
    beyond = cursors.decode(cursor, scope, ORDER_ID) if cursor is not None else None
    with db.transaction() as session:
        last_event_id = positions.of_account(session, owner.account_id) if isinstance(owner, OneAccount) else None
        found = orders.page(session, owner, filters, limit + 1, beyond, oldest_first=oldest_first)
        shown = found[:limit]
        reports = _reports(session, shown)
    next_cursor = cursors.encode(shown[-1].id, scope) if len(found) > limit else None
    return OrderPage(reports, next_cursor, last_event_id)


def _of_owner(session: Session, owner: Owner, order_id: str) -> Order:
    order = orders.of_owner(session, owner, order_id)
    if order is None:
        raise NotFound("there is no such order")
    return order


def _with_slices(session: Session, owner: Owner, order_id: str) -> Order:
    order = _of_owner(session, owner, order_id)
    check_not_archived(order)
    return order


def check_not_archived(order: Order) -> None:
    """Raise Archived unless the order's slices are here."""
    if order.archived_at is not None:
        at = order.archived_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        raise Archived("the slices of the order were moved to the archive", {"archived_at": at})


def _only_report(session: Session, order: Order) -> OrderReport:
    [report] = _reports(session, [order])
    return report


def _reports(session: Session, found: Sequence[Order]) -> list[OrderReport]:
    parts = totals.of_orders(session, [order.id for order in found])
    paces = totals.paces(session, [order.id for order in found])
    accounts = {one.name: one for one in states.held(session)}
    in_force = halts.in_force(session)
    arrivals = prices.arrivals(session, [order.id for order in found])
    names = orders.account_names(session, found)
    return [
        _report(
            order,
            names[order.account_id],
            parts.get(order.id, []),
            paces.get(order.id, UNPLANNED),
            _held(order, accounts.get(order.broker_account), in_force),
            arrival_report(arrivals.get(order.id)),
        )
        for order in found
    ]


def _snapshot(report: OrderReport, last_event_id: int) -> OrderSnapshot:
    return OrderSnapshot(**vars(report), last_event_id=last_event_id)


def _held(order: Order, account: HeldAccount | None, in_force: Sequence[Halt]) -> HeldReport | None:
    """What keeps an order back that would go on: a cause of its own, a halt, or its account at the broker."""
    if order.status in FINAL_ORDERS or order.status is OrderStatus.CANCELLING:
        return None
    if order.hold is not None and order.held_since is not None:
        return HeldReport(order.hold, order.held_since, order.hold_message, order.hold.ended_by)
    asked = (order.account_id, order.broker_account, order.instrument)
    if (halt := next((one for one in in_force if halts.scope_of(one).covers(*asked)), None)) is not None:
        halted = HoldReason.HALTED
        return HeldReport(halted, halt.made_at, halt.reason, halted.ended_by, halt.id)
    if account is None:
        return None
    reason = HoldReason(account.state.value)
    return HeldReport(reason, account.since, account.reason, reason.ended_by)


def _report(
    order: Order,
    account_name: str,
    parts: Sequence[StatusTotals],
    pace: Pace,
    held: HeldReport | None,
    arrival: ArrivalReport | None,
) -> OrderReport:
    return OrderReport(
        order_id=order.id,
        account_id=order.account_id,
        account_name=account_name,
        order_unique_key=order.order_unique_key,
        instrument=order.instrument,
        side=order.side,
        total_quantity=order.total_quantity,
        split_config=SplitConfig(order.num_splits, order.duration_minutes, order.randomize, order.until_close),
        broker_account=order.broker_account,
        order_type=order.order_type,
        limit_price=order.limit_price,
        start_at=order.start_at,
        end_at=order.end_at,
        session=order.session,
        product=order.product,
        slice_timeout_seconds=order.slice_timeout_seconds,
        client_note=order.client_note,
        catch_up=order.catch_up,
        max_slice_multiple=order.max_slice_multiple,
        extend_minutes=order.extend_minutes,
        leftover=order.leftover,
        at_end=order.at_end,
        status=order.status,
        result=order.result,
        skip_reason=order.skip_reason,
        filled_quantity=order.filled_quantity,
        leaves_quantity=leaves_quantity(order.total_quantity, order.filled_quantity, order.status in FINAL_ORDERS),
        average_price=order.average_price,
        currency=files.currency_of(order.instrument),
        exposure=_exposure(order, parts),
        slices={one.status: one.slices for one in parts},
        next_slice_at=pace.next_due if order.status is OrderStatus.IN_PROGRESS else None,
        created_at=order.created_at,
        updated_at=order.updated_at,
        finished_at=order.finished_at,
        archived_at=order.archived_at,
        held=held,
        arrival=arrival,
        not_fitting=_not_fitting(order),
        planned_quantity=_planned_by_now(order, pace),
        late_ms=LateReport(pace.last_late_ms, pace.p95_late_ms, pace.worst_late_ms),
    )


def _exposure(order: Order, parts: Sequence[StatusTotals]) -> Exposure:
    if order.archived_at is not None:
        return Exposure(filled=order.filled_quantity)
    return Exposure(unsent=order.total_quantity) if order.status is OrderStatus.PENDING else exposure(parts)


def _planned_by_now(order: Order, pace: Pace) -> int | None:
    # What did not fill comes back in other slices: no plan passes the total.
    return None if order.archived_at is not None else min(pace.planned, order.total_quantity)


def _not_fitting(order: Order) -> NotFittingReport | None:
    reason = order.not_fitting_reason
    return None if reason is None else NotFittingReport(order.not_fitting_quantity, reason)


def _slice_report(one: OrderSlice, planned: Mapping[str, int]) -> SliceReport:
    return SliceReport(
        slice_id=one.id,
        sequence_number=one.sequence_number,
        quantity=one.quantity,
        planned_quantity=planned.get(one.id, one.quantity),
        scheduled_at=one.scheduled_at,
        status=one.status,
        sent_at=one.sent_at,
        late_ms=_late_ms(one.scheduled_at, one.sent_at),
        attempts=one.attempts,
        broker_order_id=one.broker_order_id,
        filled_quantity=one.filled_quantity,
        average_price=one.average_price,
        last_price_before=one.last_price if one.sent_at else None,
        error_code=one.error_code,
        error_message=one.error_message,
    )


def _late_ms(scheduled_at: datetime, sent_at: datetime | None) -> int | None:
    return None if sent_at is None else max(0, (sent_at - scheduled_at) // timedelta(milliseconds=1))


def _fill_report(fill: Fill, sequence_number: int) -> FillReport:
    return FillReport(
        slice_id=fill.slice_id,
        sequence_number=sequence_number,
        broker_order_id=fill.broker_order_id,
        trade_id=fill.broker_trade_id,
        quantity=fill.quantity,
        price=fill.price,
        traded_at=fill.traded_at,
        recorded_at=fill.recorded_at,
        settled_by=fill.settled_by,
    )


def _in_cursors(owner: Owner) -> str:
    match owner:
        case OneAccount(account_id):
            return account_id
        case EveryAccount():
            # Clients hold cursors that were signed with this word.
            return "None"
