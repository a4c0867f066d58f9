"""What the broker's book says becomes what Pulse says: every fill once, an end only with all its fills."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, select, update

from api_contract.vocabulary import OrderResult, OrderStatus, SliceStatus
from pulse_core import db
from pulse_core.brokers.port import BookUnavailable, BrokerOrderStatus, NotSent, Placement
from pulse_core.clock import utcnow
from pulse_core.errors import IllegalMove
from pulse_core.events.names import EventKind
from pulse_core.events.tables import SliceEvent
from pulse_core.trading.slice.cancel_working import cancel_slices
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store.endings import Ending, end_all
from pulse_core.trading.tables import Fill, Order, OrderSlice
from tests.support.broker import SimulatedBroker
from tests.support.factories import a_slice, a_split_order, later, order, slices_of


def a_working_slice(**changes: object) -> OrderSlice:
    first = slices_of(a_split_order(**changes))[0]
    execute_slice(first.id)
    return a_slice(first.id)


def broker_order_id(one: OrderSlice) -> str:
    assert one.broker_order_id is not None
    return one.broker_order_id


def alarms(order_id: str) -> list[str]:
    with db.transaction() as session:
        rows = select(SliceEvent).where(SliceEvent.order_id == order_id, SliceEvent.kind == EventKind.ALARM)
        return [event.detail["alarm"] for event in session.scalars(rows.order_by(SliceEvent.id))]


def events_of(slice_id: str, to: SliceStatus) -> list[dict[str, Any]]:
    """The details of a slice's moves to this status."""
    with db.transaction() as session:
        rows = select(SliceEvent.detail).where(SliceEvent.slice_id == slice_id, SliceEvent.to_status == to)
        return list(session.scalars(rows.order_by(SliceEvent.id)))


def booked_shares(slice_id: str) -> int:
    with db.transaction() as session:
        return int(session.scalar(select(func.sum(Fill.quantity)).where(Fill.slice_id == slice_id)) or 0)


def exact_average(fills: list[tuple[int, Decimal]]) -> Decimal:
    average = sum(Fraction(price) * quantity for quantity, price in fills) / sum(quantity for quantity, _ in fills)
    return Decimal(int(average * 10_000 + Fraction(1, 2))) / 10_000


def test_a_fill_is_booked_and_a_complete_order_is_filled(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    broker.fill(broker_order_id(one))

    track_slices(utcnow())

    filled = a_slice(one.id)
    assert (filled.status, filled.filled_quantity, filled.average_price) == (
        SliceStatus.FILLED,
        20,
        Decimal("2500.0500"),
    )
    parent = order(one.order_id)
    assert (parent.status, parent.filled_quantity, parent.average_price) == (
        OrderStatus.IN_PROGRESS,
        20,
        Decimal("2500.0500"),
    )


def test_partial_fills_keep_a_slice_working_until_the_last(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    broker.fill(broker_order_id(one), 5)
    track_slices(utcnow())
    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.WORKING, 5)

    broker.fill(broker_order_id(one))
    track_slices(utcnow())
    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.FILLED, 20)


@pytest.mark.parametrize("seed", range(5))
def test_fills_repeated_and_in_any_order_are_booked_once_with_the_exact_average(
    broker: SimulatedBroker, seed: int
) -> None:
    one, random = a_working_slice(total_quantity=5_000, num_splits=5), Random(seed)
    prices = [Decimal(random.randrange(1, 10**8)) / 10_000 for _ in range(10)]
    for price in prices:
        broker.fill(broker_order_id(one), 100, price)
    broker.trades = random.choices(broker.trades, k=15) + broker.trades
    random.shuffle(broker.trades)

    track_slices(utcnow())
    random.shuffle(broker.trades)
    reconcile(utcnow())

    filled = a_slice(one.id)
    assert booked_shares(one.id) == filled.filled_quantity == order(one.order_id).filled_quantity == 1000
    assert filled.average_price == order(one.order_id).average_price == exact_average([(100, one) for one in prices])
    assert alarms(one.order_id) == []


def test_the_average_price_is_exact_to_four_places_whatever_the_quantities(broker: SimulatedBroker) -> None:
    one, random = a_working_slice(total_quantity=10**9, num_splits=2), Random(7)
    fills = [(random.randrange(1, 10**8), Decimal(random.randrange(1, 10**9)) / 10_000) for _ in range(4)]
    for quantity, price in fills:
        broker.fill(broker_order_id(one), quantity, price)

    track_slices(utcnow())

    assert a_slice(one.id).average_price == exact_average(fills)


def test_an_end_waits_for_the_trades_that_belong_to_it(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    broker.fill(broker_order_id(one))
    trades, broker.trades = broker.trades, []
    track_slices(utcnow())
    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.WORKING, 0)

    broker.trades = trades
    track_slices(utcnow())
    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.FILLED, 20)


def test_a_rejection_after_acceptance_keeps_its_fills_and_the_brokers_words(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    broker.fill(broker_order_id(one), 5)
    broker.reject(broker_order_id(one), "margin exceeded")

    track_slices(utcnow())

    rejected = a_slice(one.id)
    assert (rejected.status, rejected.filled_quantity) == (SliceStatus.REJECTED, 5)
    assert rejected.error_message == "margin exceeded"


def test_a_cancellation_that_nobody_asked_for_is_taken_over(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    broker.cancel(broker_order_id(one))

    track_slices(utcnow())

    assert a_slice(one.id).status is SliceStatus.CANCELLED


def test_an_order_that_is_missing_in_the_book_stays_working(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    broker.book.clear()

    track_slices(utcnow())
    reconcile(utcnow())

    assert a_slice(one.id).status is SliceStatus.WORKING


def test_a_fill_after_the_deadline_adds_quantity_keeps_the_status_and_raises_the_alarm(
    broker: SimulatedBroker,
) -> None:
    one = a_working_slice()
    after_deadline = later(3600)
    cancel_slices(after_deadline)
    track_slices(after_deadline)
    assert a_slice(one.id).status is SliceStatus.EXPIRED
    # The exchange had traded before the cancellation reached it, and says so late.
    broker.fill(broker_order_id(one), 7)

    reconcile(after_deadline)

    late = a_slice(one.id)
    assert (late.status, late.filled_quantity, order(one.order_id).filled_quantity) == (SliceStatus.EXPIRED, 7, 7)
    assert alarms(one.order_id) == ["fill after the end"]


def test_a_late_fill_of_a_slice_that_ended_is_booked_while_others_work(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    a_working_slice(order_unique_key="another")
    broker.cancel(broker_order_id(one))
    track_slices(utcnow())
    assert a_slice(one.id).status is SliceStatus.CANCELLED

    broker.fill(broker_order_id(one), 3)
    track_slices(utcnow())
    assert booked_shares(one.id) == 3

    broker.fill(broker_order_id(one), 2)
    lagging = broker.trades.pop()
    track_slices(utcnow())
    broker.trades.append(lagging)
    track_slices(utcnow())
    assert booked_shares(one.id) == 5


def test_a_late_fill_corrects_the_result_of_a_finished_order(broker: SimulatedBroker) -> None:
    order_id = a_split_order(duration_minutes=1, max_slice_multiple=10)
    end_at = order(order_id).end_at
    for one in slices_of(order_id):
        execute_slice(one.id, clock=lambda: end_at)
    cancel_slices(later(3600), limit=5)
    track_slices(later(3600))
    assert (order(order_id).status, order(order_id).result) == (OrderStatus.DONE, OrderResult.UNFILLED)
    finished_at = order(order_id).finished_at

    broker.fill(broker_order_id(slices_of(order_id)[0]), 7)
    reconcile(later(3600))

    corrected = order(order_id)
    assert (corrected.status, corrected.result, corrected.filled_quantity) == (
        OrderStatus.DONE,
        OrderResult.PARTIALLY_FILLED,
        7,
    )
    assert corrected.finished_at == finished_at


def test_more_fills_than_asked_for_are_booked_and_raise_the_alarm(broker: SimulatedBroker) -> None:
    one = a_working_slice(total_quantity=40, num_splits=2)
    broker.fill(broker_order_id(one), 41)

    track_slices(utcnow())

    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.FILLED, 41)
    assert alarms(one.order_id) == ["slice overfilled", "order overfilled"]


def test_the_orders_totals_are_the_sums_of_its_slices(broker: SimulatedBroker) -> None:
    order_id = a_split_order(total_quantity=500, max_slice_multiple=10)
    end_at = order(order_id).end_at
    for place, one in enumerate(slices_of(order_id), start=1):
        execute_slice(one.id, clock=lambda: end_at)
        broker.fill(broker_order_id(a_slice(one.id)), 10 * place, Decimal("100.01") * place)

    track_slices(utcnow())

    parent, slices = order(order_id), slices_of(order_id)
    assert parent.filled_quantity == sum(one.filled_quantity for one in slices) == 150
    assert parent.average_price == exact_average([(10 * place, Decimal("100.01") * place) for place in range(1, 6)])


def test_slices_of_one_order_that_end_differently_are_settled_in_one_reading(broker: SimulatedBroker) -> None:
    order_id = a_split_order(utcnow() - timedelta(seconds=1), duration_minutes=1, max_slice_multiple=10)
    parts = slices_of(order_id)
    with db.transaction() as session:
        session.execute(update(OrderSlice).where(OrderSlice.order_id == order_id).values(due_at=utcnow()))
    for one in parts:
        execute_slice(one.id)
    full, part, refused, called_back, working = (broker_order_id(a_slice(one.id)) for one in parts)
    broker.fill(full)
    broker.fill(part, 5)
    broker.cancel(part)
    broker.fill(refused, 7, Decimal(10))
    broker.reject(refused, "margin exceeded")
    broker.cancel(called_back)
    broker.fill(working, 3)

    assert track_slices(utcnow()) == 5

    ended = {status: events_of(one.id, status) for one in slices_of(order_id) if (status := one.status)}
    assert [(one.status, one.filled_quantity, one.error_message) for one in slices_of(order_id)] == [
        (SliceStatus.FILLED, 20, None),
        (SliceStatus.CANCELLED, 5, None),
        (SliceStatus.REJECTED, 7, "margin exceeded"),
        (SliceStatus.CANCELLED, 0, None),
        (SliceStatus.WORKING, 3, None),
    ]
    assert ended[SliceStatus.FILLED] == [{"attempt": 1}]
    assert ended[SliceStatus.REJECTED] == [
        {"attempt": 1, "error_code": "BROKER_REJECTED", "error_message": "margin exceeded"}
    ]
    assert (order(order_id).status, order(order_id).filled_quantity) == (OrderStatus.IN_PROGRESS, 35)


def test_a_slice_that_works_no_more_is_not_ended_again(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    broker.fill(broker_order_id(one))
    track_slices(utcnow())

    with db.transaction() as session:
        again = Ending(one, SliceStatus.CANCELLED, 0, None, None, None)
        assert end_all(session, [again], utcnow()) == []

    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.FILLED, 20)
    assert events_of(one.id, SliceStatus.CANCELLED) == []


def test_an_end_that_no_working_slice_can_have_is_refused(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    with db.transaction() as session, pytest.raises(IllegalMove):
        end_all(session, [Ending(one, SliceStatus.SKIPPED, 0, None, None, None)], utcnow())

    assert a_slice(one.id).status is SliceStatus.WORKING


def test_a_book_that_cannot_be_read_changes_nothing(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    broker.fill(broker_order_id(one))
    broker.is_book_readable = False

    for read in (track_slices, reconcile):
        with pytest.raises(BookUnavailable):
            read(utcnow())

    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.WORKING, 0)


def test_without_working_slices_the_broker_is_not_asked(broker: SimulatedBroker) -> None:
    broker.is_book_readable = False
    a_split_order()

    assert (track_slices(utcnow()), reconcile(utcnow())) == (0, 0)


def test_an_order_taken_for_not_sent_that_stands_in_the_book_is_adopted_with_an_alarm(broker: SimulatedBroker) -> None:
    broker.answers = [claim_it_was_not_sent]
    one = a_working_slice()
    assert one.status is SliceStatus.SCHEDULED

    reconcile(utcnow())

    assert a_slice(one.id).status is SliceStatus.UNKNOWN
    assert alarms(one.order_id) == ["order taken for not placed is in the book"]
    execute_slice(one.id, clock=lambda: one.due_at + timedelta(minutes=1))
    assert len(broker.placements) == 1


def test_rows_of_the_book_that_are_not_ours_are_ignored(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    stranger = broker.enter(replace(broker.placements[0], client_order_id="S" * 20))
    broker.book["9"] = replace(
        broker.book[stranger], broker_order_id="9", client_order_id=None, status=BrokerOrderStatus.COMPLETE
    )
    broker.fill(stranger)

    track_slices(utcnow())
    reconcile(utcnow())

    assert a_slice(one.id).filled_quantity == 0
    with db.transaction() as session:
        assert session.scalar(select(func.count()).select_from(Fill)) == 0
        assert session.scalar(select(func.count()).select_from(Order)) == 1


def claim_it_was_not_sent(broker: SimulatedBroker, placement: Placement) -> str:
    broker.enter(placement)
    raise NotSent("CONNECTION_REFUSED", "nobody listens")
