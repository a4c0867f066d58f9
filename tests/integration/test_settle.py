"""An order is finished when all its slices are, whoever notices."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from api_contract.vocabulary import OrderResult, OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.trading.order_totals import finish_orders, roll_up
from tests.support.factories import a_split_order, order, slices_of
from tests.support.servers import as_owner

# Of which nothing is left.
WINDOW = timedelta(hours=2)

pytestmark = pytest.mark.usefixtures("clean_database")


def put_slices(order_id: str, status: SliceStatus, first: int = 1, last: int = 5) -> None:
    """Bring slices into a state that their services would have brought about."""
    with db.transaction() as session:
        session.execute(
            text(
                "UPDATE order_slices SET status = :status, broker_order_id = id, deadline_at = now(),"
                " lease_expires_at = now(), resolve_at = now()"
                " WHERE order_id = :order_id AND sequence_number BETWEEN :first AND :last"
            ),
            {"status": status, "order_id": order_id, "first": first, "last": last},
        )


def put_order(order_id: str, status: OrderStatus) -> None:
    with db.transaction() as session:
        session.execute(text("UPDATE orders SET status = :status WHERE id = :id"), {"status": status, "id": order_id})


@pytest.mark.parametrize(
    "status", [SliceStatus.SCHEDULED, SliceStatus.SENDING, SliceStatus.UNKNOWN, SliceStatus.WORKING]
)
def test_one_open_slice_keeps_an_order_open(status: SliceStatus) -> None:
    order_id = a_split_order()
    put_slices(order_id, SliceStatus.EXPIRED)
    put_slices(order_id, status, 5, 5)

    assert finish_orders(utcnow()) == 0
    assert order(order_id).status is OrderStatus.IN_PROGRESS


@pytest.mark.parametrize(
    "status",
    [
        SliceStatus.FILLED,
        SliceStatus.CANCELLED,
        SliceStatus.REJECTED,
        SliceStatus.EXPIRED,
        SliceStatus.FAILED,
        SliceStatus.SKIPPED,
    ],
)
@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (OrderStatus.IN_PROGRESS, OrderStatus.DONE),
        (OrderStatus.PAUSED, OrderStatus.DONE),
        (OrderStatus.CANCELLING, OrderStatus.CANCELLED),
    ],
)
def test_an_order_left_open_with_nothing_left_to_do_is_finished(
    status: SliceStatus, was: OrderStatus, becomes: OrderStatus
) -> None:
    order_id, now = a_split_order(utcnow() - WINDOW), utcnow()
    put_slices(order_id, status)
    put_order(order_id, was)

    assert finish_orders(now) == 1

    finished = order(order_id)
    assert (finished.status, finished.result, finished.finished_at) == (becomes, OrderResult.UNFILLED, now)
    assert finish_orders(now) == 0


def test_an_order_being_cancelled_with_slices_still_unsent_is_found_and_ended() -> None:
    order_id = a_split_order()
    put_order(order_id, OrderStatus.CANCELLING)

    assert finish_orders(utcnow()) == 1

    assert {one.status for one in slices_of(order_id)} == {SliceStatus.CANCELLED}
    assert order(order_id).status is OrderStatus.CANCELLED


def test_settling_a_finished_order_again_changes_nothing() -> None:
    order_id = a_split_order(utcnow() - WINDOW)
    put_slices(order_id, SliceStatus.EXPIRED)
    finish_orders(utcnow())
    finished = order(order_id)

    with db.transaction() as session:
        roll_up(session, finished, utcnow())

    assert (order(order_id).status, order(order_id).updated_at) == (OrderStatus.DONE, finished.updated_at)


def test_a_pending_order_is_not_finished_for_having_no_slices() -> None:
    order_id = a_split_order()
    with as_owner() as connection:
        connection.execute(text("DELETE FROM slice_events"))
        connection.execute(text("DELETE FROM order_slices"))
    put_order(order_id, OrderStatus.PENDING)

    assert finish_orders(utcnow()) == 0
    assert order(order_id).status is OrderStatus.PENDING


def test_orders_are_finished_in_bounded_batches() -> None:
    for _ in range(3):
        put_slices(a_split_order(utcnow() - WINDOW), SliceStatus.EXPIRED)

    assert [finish_orders(utcnow(), limit=2) for _ in range(3)] == [2, 1, 0]
