"""The broker's day ends on slices that still work: what is known is booked, and nothing stays open for ever."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update

from api_contract.errors import InvalidState, QuantityTooSmall
from api_contract.vocabulary import OrderResult, OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.brokers.port import BookUnavailable, BrokerOrderStatus
from pulse_core.clock import utcnow
from pulse_core.events.names import EventKind
from pulse_core.events.tables import SliceEvent
from pulse_core.owner import OneAccount
from pulse_core.trading.order.amend import amend_order
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.replan_orders import replan_orders
from pulse_core.trading.slice import operations
from pulse_core.trading.slice.cancel_working import cancel_slices
from pulse_core.trading.slice.day_end import end_day
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store import at_broker, placements, schedules
from pulse_core.trading.tables import Order, OrderSlice
from tests.support.broker import PRICE, SimulatedBroker
from tests.support.factories import a_slice, a_split_order, an_account, order, slices_of


@pytest.fixture(autouse=True)
def _one_day(broker: SimulatedBroker) -> None:
    broker.is_book_daily = True


def a_working_slice(account_id: str | None = None, **terms: Any) -> OrderSlice:
    first = slices_of(a_split_order(account_id=account_id, **terms))[0]
    execute_slice(first.id)
    return a_slice(first.id)


def tomorrow() -> datetime:
    """Some minutes into the next day of the broker."""
    return (utcnow() + timedelta(days=1, minutes=2)).replace(hour=0, minute=5)


def begin_the_next_day(broker: SimulatedBroker) -> datetime:
    """The broker's books are empty in the morning; returns an instant of that day."""
    broker.book.clear()
    broker.trades.clear()
    return tomorrow()


def alarms(slice_id: str) -> list[dict[str, Any]]:
    with db.transaction() as session:
        rows = select(SliceEvent).where(SliceEvent.slice_id == slice_id, SliceEvent.kind == EventKind.ALARM)
        return [event.detail for event in session.scalars(rows)]


def ended_at(one: OrderSlice) -> datetime | None:
    with db.transaction() as session:
        [attempt] = placements.of_slice(session, one.id)
    return attempt.ended_at


def test_a_slice_whose_end_was_not_seen_expires_with_its_known_fills_and_one_alarm(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    broker.fill(one.broker_order_id or "", 8)
    track_slices(utcnow())
    morning = begin_the_next_day(broker)

    assert [end_day(morning), end_day(morning)] == [1, 0]

    ended = a_slice(one.id)
    assert (ended.status, ended.filled_quantity, ended.average_price) == (SliceStatus.EXPIRED, 8, PRICE)
    assert ended.error_code == "END_UNSEEN"
    assert ended_at(one) == morning
    [told] = alarms(one.id)
    assert (told["code"], told["broker_order_id"], told["filled_quantity"]) == ("END_UNSEEN", one.broker_order_id, 8)


def test_what_a_slice_lacks_whose_end_was_not_seen_comes_back_into_no_plan_before_it_is_settled(
    broker: SimulatedBroker,
) -> None:
    start = (utcnow() + timedelta(days=1)).replace(hour=0, minute=0)
    one = a_working_slice(duration_minutes=1440)
    with db.transaction() as session:
        session.execute(update(Order).where(Order.id == one.order_id).values(end_at=start + timedelta(hours=12)))
    morning = begin_the_next_day(broker)
    assert end_day(morning) == 1
    with db.transaction() as session:
        schedules.ask(session, [one.order_id], morning)

    replan_orders(morning)

    assert a_slice(one.id).error_code == "END_UNSEEN"
    assert sum(part.quantity for part in slices_of(one.order_id)) == order(one.order_id).total_quantity
    with pytest.raises(InvalidState, match="settle it first"):
        operations.retry_slice(one.id, "ops", now=morning)
    owner = OneAccount(order(one.order_id).account_id)
    with pytest.raises(QuantityTooSmall):
        amend_order(owner, one.order_id, {"total_quantity": one.quantity - 1}, "ann", morning, None)


def test_the_order_ends_with_the_last_of_its_slices(broker: SimulatedBroker) -> None:
    order_id = a_split_order(num_splits=2, duration_minutes=1)
    end_at = order(order_id).end_at
    for one in slices_of(order_id):
        execute_slice(one.id, clock=lambda: end_at)
    broker.fill(slices_of(order_id)[0].broker_order_id or "")
    track_slices(end_at)

    end_day(begin_the_next_day(broker))

    ended = order(order_id)
    assert (ended.status, ended.result, ended.filled_quantity) == (OrderStatus.DONE, OrderResult.PARTIALLY_FILLED, 50)


def test_a_cancelled_order_whose_slice_could_not_be_called_back_is_cancelled_at_the_end_of_the_day(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = an_account()
    one = a_working_slice(account)
    monkeypatch.setattr(broker, "cancel", broker.cancels.append)
    cancel_order(OneAccount(account), one.order_id, utcnow(), account)
    cancel_slices(utcnow())

    end_day(begin_the_next_day(broker))

    assert (a_slice(one.id).status, order(one.order_id).status) == (SliceStatus.EXPIRED, OrderStatus.CANCELLED)


def test_an_order_that_todays_book_still_shows_is_left_to_be_followed(broker: SimulatedBroker) -> None:
    one = a_working_slice()

    assert end_day(tomorrow()) == 0
    assert a_slice(one.id).status is SliceStatus.WORKING

    broker.book[one.broker_order_id or ""] = replace(
        broker.book[one.broker_order_id or ""], status=BrokerOrderStatus.CANCELLED
    )
    track_slices(tomorrow())
    assert (a_slice(one.id).status, alarms(one.id)) == (SliceStatus.CANCELLED, [])


def test_trades_that_the_book_still_shows_are_booked_and_a_full_slice_is_filled(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    broker.fill(one.broker_order_id or "")
    broker.book.clear()

    end_day(tomorrow())

    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.FILLED, 20)
    assert alarms(one.id) == []


def test_nothing_ends_on_its_own_day_nor_just_after_midnight(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    begin_the_next_day(broker)

    assert end_day(utcnow()) == 0
    assert end_day(tomorrow().replace(minute=0, second=30)) == 0
    assert a_slice(one.id).status is SliceStatus.WORKING


def test_a_book_that_cannot_be_read_ends_nothing(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    morning = begin_the_next_day(broker)
    broker.is_book_readable = False

    with pytest.raises(BookUnavailable):
        end_day(morning)
    assert a_slice(one.id).status is SliceStatus.WORKING


def test_without_slices_of_an_earlier_day_the_book_is_not_read(broker: SimulatedBroker) -> None:
    broker.is_book_readable = False

    assert end_day(tomorrow()) == 0


def test_slices_of_another_broker_are_left_alone(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    morning = begin_the_next_day(broker)
    broker.name = "zerodha"

    assert end_day(morning) == 0
    assert a_slice(one.id).status is SliceStatus.WORKING


def test_each_run_is_bounded(broker: SimulatedBroker) -> None:
    working = [a_working_slice() for _ in range(3)]
    morning = begin_the_next_day(broker)

    assert [end_day(morning, limit=2), end_day(morning, limit=2)] == [2, 1]
    assert {a_slice(one.id).status for one in working} == {SliceStatus.EXPIRED}


def test_a_slice_that_ended_meanwhile_keeps_its_end(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    one = a_working_slice()
    listed = at_broker.left_working

    def list_and_fill(*args: Any) -> Sequence[OrderSlice]:
        found = listed(*args)
        broker.fill(one.broker_order_id or "")
        track_slices(utcnow())
        begin_the_next_day(broker)
        return found

    monkeypatch.setattr(at_broker, "left_working", list_and_fill)
    end_day(tomorrow())

    assert (a_slice(one.id).status, alarms(one.id)) == (SliceStatus.FILLED, [])


def test_a_trade_that_is_reported_after_the_end_adds_quantity_and_keeps_the_status(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    yesterday = dict(broker.book)
    morning = begin_the_next_day(broker)
    end_day(morning)

    broker.book.update(yesterday)
    broker.fill(one.broker_order_id or "", 5, Decimal("2501"))
    reconcile(utcnow())

    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.EXPIRED, 5)


def test_what_was_sent_on_an_earlier_day_is_never_asked_to_be_cancelled(broker: SimulatedBroker) -> None:
    one = a_working_slice()

    assert cancel_slices(tomorrow()) == 0
    assert broker.cancels == []
    assert a_slice(one.id).cancel_asked_at is None
