"""Cancel an order: no further slices are sent, working ones are cancelled at the broker, fills are kept."""

from datetime import datetime

from api_contract.errors import InvalidState, NotFound
from api_contract.versions import Expected
from api_contract.vocabulary import OrderStatus
from pulse_core import db, queue
from pulse_core.events.names import EventKind
from pulse_core.failpoints import failpoint
from pulse_core.owner import OneAccount, Owner
from pulse_core.tasks import Task
from pulse_core.trading.order.queries import check_expected, order_report
from pulse_core.trading.order.reports import OrderReport
from pulse_core.trading.order_totals import roll_up
from pulse_core.trading.status import order_result
from pulse_core.trading.store import events, orders


def cancel_order(
    owner: Owner, order_id: str, now: datetime, actor: str, expected: Expected | None = None
) -> OrderReport:
    """Cancel what is not filled yet of an order of the owner; repeating it is harmless.

    Raises NotFound, PreconditionFailed unless the order is as `expected`, or InvalidState when it has ended otherwise.
    """
    with db.transaction() as session:
        order = orders.of_owner(session, owner, order_id, locked=True)
        if order is None:
            raise NotFound("there is no such order")
        check_expected(session, order, expected)
        if order.status in (OrderStatus.DONE, OrderStatus.SKIPPED):
            raise InvalidState(f"the order is {order.status} and cannot be cancelled", {"status": order.status})
        if order.status in (OrderStatus.PENDING, OrderStatus.IN_PROGRESS, OrderStatus.PAUSED):
            events.add(session, EventKind.REQUEST, order.id, None, now, request="cancel", actor=actor)
        if order.status is OrderStatus.PENDING:
            result = order_result(order.total_quantity, 0)
            orders.move(session, order, OrderStatus.CANCELLED, now, result=result, finished_at=now)
        if order.status in (OrderStatus.IN_PROGRESS, OrderStatus.PAUSED):
            orders.move(session, order, OrderStatus.CANCELLING, now)
            roll_up(session, order, now)
        failpoint("cancel.before_commit")
    failpoint("cancel.after_commit")
    queue.wake(Task.CANCEL_SLICES)
    return order_report(owner, order_id)


def cancel_order_by_key(
    owner: OneAccount, order_unique_key: str, now: datetime, actor: str, expected: Expected | None = None
) -> OrderReport:
    """The same to the order of the account with this key, which is of one order for ever.

    Raises what cancel_order does.
    """
    with db.transaction() as session:
        order = orders.by_unique_key(session, owner.account_id, order_unique_key)
    if order is None:
        raise NotFound("there is no order with this key")
    return cancel_order(owner, order.id, now, actor, expected)
