"""What keeps an order back never makes it a burst, and nothing of it is lost in silence."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from api_contract.errors import InvalidState
from api_contract.vocabulary import (
    AtEnd,
    CatchUp,
    Leftover,
    NotFittingReason,
    OrderResult,
    OrderStatus,
    OrderType,
    ReplanCause,
    SliceStatus,
)
from pulse_core import db
from pulse_core.brokers.port import BrokerOrderStatus, Refused, Scope
from pulse_core.clock import utcnow
from pulse_core.errors import DatabaseUnavailable
from pulse_core.events.names import EventKind
from pulse_core.events.tables import SliceEvent
from pulse_core.owner import OneAccount
from pulse_core.trading.order.pause import pause_order, resume_order
from pulse_core.trading.order.queries import order_report
from pulse_core.trading.order_totals import finish_orders
from pulse_core.trading.replan_orders import replan_crowded, replan_orders
from pulse_core.trading.slice import operations
from pulse_core.trading.slice.cancel_working import cancel_slices
from pulse_core.trading.slice.execute import execute_slices
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store import slices
from pulse_core.trading.tables import OrderSlice, Placement
from pulse_core.trading.vocabulary import PlacementOutcome
from tests.support.broker import SimulatedBroker, accept, accept_and_fill, answer_with
from tests.support.factories import a_slice, a_split_order, an_account, order, slices_of

SECOND = timedelta(seconds=1)
INVALID = answer_with(Refused("InputException", "no such thing", Scope.ORDER))


class Trading:
    """An order of twenty slices of ten in a minute, and workers whose clock the test sets."""

    def __init__(self, broker: SimulatedBroker, **changes: object) -> None:
        self.broker = broker
        self.start = utcnow() + SECOND
        self.account_id = an_account()
        stated = {"total_quantity": 200, "num_splits": 20, "duration_minutes": 1, **changes}
        self.order_id = a_split_order(self.start, self.account_id, **stated)
        self.total = int(str(stated["total_quantity"]))

    def at(self, seconds: float) -> datetime:
        return self.start + SECOND * seconds

    @property
    def slices(self) -> list[OrderSlice]:
        return list(slices_of(self.order_id))

    def work(self, seconds: float, broker: Callable[..., str] = accept_and_fill) -> int:
        """All that is due goes to the workers at once, as messages that have waited; returns how much goes out."""
        now, before = self.at(seconds), len(self.broker.placements)
        due = [one.id for one in self.slices if one.status is SliceStatus.SCHEDULED and one.due_at <= now]
        self.broker.answers = [broker] * len(due)
        for start in range(0, len(due), 16):
            execute_slices(due[start : start + 16], lambda: now).check()
        self.broker.answers = []
        track_slices(now)
        replan_orders(now)
        self.check()
        return sum(one.quantity for one in self.broker.placements[before:])

    def run(self, since: int, until: int) -> None:
        for seconds in range(since, until):
            self.work(seconds)

    def check(self) -> None:
        """The promises, at every step: the sums, and the cap of every interval."""
        report = order_report(OneAccount(self.account_id), self.order_id)
        assert report.exposure.total <= self.total
        given_up = report.not_fitting.quantity if report.not_fitting else 0
        if report.status is OrderStatus.IN_PROGRESS and not any(
            one.status in (SliceStatus.EXPIRED, SliceStatus.CANCELLED, SliceStatus.REJECTED) for one in self.slices
        ):
            assert report.exposure.total + given_up == self.total
        with db.transaction() as session:
            rows = select(Placement).join(OrderSlice, OrderSlice.id == Placement.slice_id)
            rows = rows.where(Placement.outcome.not_in((PlacementOutcome.REFUSED, PlacementOutcome.NOT_SENT)))
            mine = session.scalars(
                rows.where(OrderSlice.order_id == self.order_id).order_by(Placement.claimed_at)
            ).all()
        parent = order(self.order_id)
        assert parent.pace_interval is not None
        kept, cap = parent.pace_interval * 0.75, 10 * parent.max_slice_multiple
        for one in mine:
            recent = [other for other in mine if timedelta(0) <= one.claimed_at - other.claimed_at < kept]
            assert sum(other.quantity for other in recent) <= cap

    def causes(self) -> list[str]:
        with db.transaction() as session:
            rows = select(SliceEvent.detail).where(
                SliceEvent.order_id == self.order_id, SliceEvent.kind == EventKind.REPLANNED
            )
            return [detail["cause"] for detail in session.scalars(rows.order_by(SliceEvent.id))]

    def resume(self, seconds: float, catch_up: CatchUp | None = None) -> None:
        resume_order(OneAccount(self.account_id), self.order_id, "trader", self.at(seconds), None, catch_up)

    def pause(self, seconds: float) -> None:
        pause_order(OneAccount(self.account_id), self.order_id, "trader", self.at(seconds))


def test_workers_that_come_back_send_no_burst_and_lose_nothing(broker: SimulatedBroker) -> None:
    trading = Trading(broker)
    trading.run(0, 3)

    assert trading.work(40) <= 30
    trading.run(41, 62)

    assert order(trading.order_id).result is OrderResult.FILLED
    assert ReplanCause.OVERDUE in trading.causes()


def test_workers_that_come_back_after_the_window_lose_nothing(broker: SimulatedBroker) -> None:
    trading = Trading(broker, num_splits=5, total_quantity=50)

    assert trading.work(61) == 30
    trading.run(62, 90)

    parent = order(trading.order_id)
    assert (parent.result, parent.end_at) == (OrderResult.FILLED, trading.at(60))


def test_a_slice_that_was_late_costs_the_last_one_nothing(broker: SimulatedBroker) -> None:
    trading = Trading(broker, num_splits=5, total_quantity=50, max_slice_multiple=1)
    trading.run(0, 44)
    trading.run(56, 80)

    assert order(trading.order_id).result is OrderResult.FILLED


def test_the_sweep_plans_late_orders_anew_before_anything_is_handed_out(broker: SimulatedBroker) -> None:
    trading = Trading(broker)

    assert replan_crowded("paper", trading.at(40)) == 1

    due = [one for one in trading.slices if one.due_at <= trading.at(40)]
    assert sum(one.quantity for one in due) <= 30
    assert replan_crowded("paper", trading.at(40)) == 0


def test_a_pause_of_a_third_of_the_window_loses_nothing(broker: SimulatedBroker) -> None:
    trading = Trading(broker)
    trading.run(0, 20)
    trading.pause(20)
    trading.resume(40)
    trading.run(40, 62)

    assert order(trading.order_id).result is OrderResult.FILLED
    assert trading.causes()[0] == ReplanCause.RESUMED


def test_who_resumes_may_say_how_it_catches_up_this_once(broker: SimulatedBroker) -> None:
    trading = Trading(broker)
    trading.run(0, 20)
    trading.pause(20)
    trading.resume(40, CatchUp.SKIP)
    trading.run(40, 62)

    report = order_report(OneAccount(trading.account_id), trading.order_id)
    assert report.not_fitting is not None
    assert report.not_fitting.reason is NotFittingReason.SKIPPED
    assert report.filled_quantity + report.not_fitting.quantity == 200
    assert (report.status, report.catch_up) == (OrderStatus.DONE, CatchUp.SPREAD)


def test_what_cannot_fit_is_named_with_its_quantity_and_why(broker: SimulatedBroker) -> None:
    trading = Trading(broker, max_slice_multiple=1)
    trading.run(0, 20)
    trading.pause(20)
    trading.resume(40)
    trading.run(40, 62)

    report = order_report(OneAccount(trading.account_id), trading.order_id)
    assert report.not_fitting is not None
    assert report.not_fitting.reason is NotFittingReason.NO_ROOM
    assert report.filled_quantity + report.not_fitting.quantity == 200


def test_the_window_grows_where_the_order_allows_it(broker: SimulatedBroker) -> None:
    trading = Trading(broker, max_slice_multiple=1, extend_minutes=2)
    trading.run(0, 20)
    trading.pause(20)
    trading.resume(40)
    trading.run(40, 100)

    assert order(trading.order_id).result is OrderResult.FILLED
    assert order(trading.order_id).end_at > trading.at(60)


def test_operators_who_retry_all_of_an_order_send_no_burst(broker: SimulatedBroker) -> None:
    trading = Trading(broker)
    trading.work(0)
    for seconds in range(1, 35):
        trading.work(seconds, INVALID)
    rejected = [one.id for one in trading.slices if one.status is SliceStatus.REJECTED]
    assert len(rejected) >= 8

    for slice_id in rejected:
        operations.retry_slice(slice_id, "operator", trading.at(35))

    assert trading.work(35) <= 30
    trading.run(36, 62)
    assert order(trading.order_id).result is OrderResult.FILLED


def test_what_was_filled_before_slices_were_rejected_counts_for_the_cap(broker: SimulatedBroker) -> None:
    trading = Trading(broker, max_slice_multiple=2, catch_up=CatchUp.BURST)
    trading.work(20, accept)
    sent = [one for one in trading.slices if one.status is SliceStatus.WORKING]
    for one in sent:
        broker.fill(one.broker_order_id or "", 8)
        broker.end(one.broker_order_id or "", BrokerOrderStatus.REJECTED)
    track_slices(trading.at(21))
    for one in sent:
        operations.retry_slice(one.id, "operator", trading.at(21))
    other = next(one for one in trading.slices if one.attempts == 0)
    with db.transaction() as session:
        session.get_one(OrderSlice, other.id).due_at = trading.at(21)
        for one in sent:
            session.get_one(OrderSlice, one.id).due_at = trading.at(60)

    execute_slices([other.id], lambda: trading.at(21)).check()

    assert a_slice(other.id).status is SliceStatus.SCHEDULED
    assert a_slice(other.id).due_at > trading.at(21)


def half_filled(trading: Trading) -> str:
    """The first slice, of which four were filled before its deadline."""
    trading.work(0, accept)
    first = trading.slices[0]
    trading.broker.fill(first.broker_order_id or "", 4)
    trading.broker.end(first.broker_order_id or "")
    track_slices(trading.at(1))
    return first.id


def test_the_rest_of_a_slice_comes_back_when_it_has_ended(broker: SimulatedBroker) -> None:
    trading = Trading(broker)
    first = half_filled(trading)

    trading.run(1, 62)

    assert order(trading.order_id).result is OrderResult.FILLED
    assert a_slice(first).status is SliceStatus.CANCELLED
    assert [(one.sequence_number, one.quantity) for one in trading.slices[20:]] == [(21, 6)]


def test_an_order_is_not_done_while_a_rest_of_it_is_to_come_back(broker: SimulatedBroker) -> None:
    trading = Trading(broker, num_splits=2, total_quantity=20)
    trading.work(0)
    last = trading.slices[-1]
    execute_slices([last.id], lambda: last.due_at - timedelta(0)).check()
    # Its window is longer than its slices took.
    with db.transaction() as session:
        parent = session.get_one(type(order(trading.order_id)), trading.order_id)
        parent.extend_minutes = 5
    broker.end(a_slice(last.id).broker_order_id or "")

    track_slices(trading.at(61))
    assert order(trading.order_id).status is OrderStatus.IN_PROGRESS
    trading.run(62, 64)

    assert order(trading.order_id).result is OrderResult.FILLED


def test_a_rest_is_named_where_it_is_to_be_dropped(broker: SimulatedBroker) -> None:
    trading = Trading(broker, leftover=Leftover.DROP)
    half_filled(trading)

    trading.run(1, 62)

    report = order_report(OneAccount(trading.account_id), trading.order_id)
    assert report.not_fitting is not None
    assert (report.not_fitting.quantity, report.not_fitting.reason) == (6, NotFittingReason.DROPPED)
    assert report.filled_quantity == 194


def test_a_rest_stays_where_it_is_while_anything_of_it_may_be_live(broker: SimulatedBroker) -> None:
    trading = Trading(broker)
    first = half_filled(trading)
    with db.transaction() as session:
        placed = session.scalars(select(Placement).where(Placement.slice_id == first)).one()
        placed.ended_at = None
        # Something was given up too: by what the order lacks alone there would be room for the rest.
        given_up = session.get_one(OrderSlice, trading.slices[-1].id)
        slices.move(session, given_up, SliceStatus.SKIPPED, trading.at(1))

    replan_orders(trading.at(2))
    assert len(trading.slices) == 20

    with db.transaction() as session:
        session.scalars(select(Placement).where(Placement.slice_id == first)).one().ended_at = trading.at(3)
    replan_orders(trading.at(5))
    assert [one.quantity for one in trading.slices[20:]] == [6]


def test_a_half_filled_slice_that_expired_is_retried_for_its_rest(broker: SimulatedBroker) -> None:
    trading = Trading(broker, catch_up=CatchUp.SPREAD)
    trading.work(0, accept)
    first = trading.slices[0]
    broker.fill(first.broker_order_id or "", 4)
    deadline = a_slice(first.id).deadline_at
    assert deadline is not None
    cancel_slices(deadline)
    broker.end(first.broker_order_id or "", BrokerOrderStatus.CANCELLED)
    track_slices(trading.at(2))
    assert a_slice(first.id).status is SliceStatus.EXPIRED

    operations.retry_slice(first.id, "operator", trading.at(3))

    assert [one.quantity for one in trading.slices[20:]] == [6]
    with pytest.raises(InvalidState, match="in other slices"):
        operations.retry_slice(first.id, "operator", trading.at(3))


def test_at_the_end_of_its_window_an_order_sends_one_last_slice_at_market(broker: SimulatedBroker) -> None:
    trading = Trading(broker, at_end=AtEnd.MARKET, order_type=OrderType.LIMIT, limit_price=100)
    for seconds in range(61):
        trading.work(seconds, accept if seconds > 55 else accept_and_fill)
    working = [one.broker_order_id or "" for one in trading.slices if one.status is SliceStatus.WORKING]
    assert working

    cancel_slices(trading.at(61))
    assert {one.status for one in trading.slices if one.broker_order_id in working} == {SliceStatus.WORKING}
    for one in working:
        broker.end(one)
    track_slices(trading.at(62))
    for seconds in (64, 66, 68):
        trading.work(seconds)

    assert [(one.is_last, one.status) for one in trading.slices if one.is_last] == [(True, SliceStatus.FILLED)]
    assert broker.placements[-1].limit_price is None
    assert order(trading.order_id).result is OrderResult.FILLED


def test_a_price_that_is_refused_again_and_again_comes_to_no_burst(broker: SimulatedBroker) -> None:
    trading = Trading(broker)
    refused = answer_with(Refused("InputException", "outside the band", Scope.PRICE))
    for seconds in range(30):
        trading.work(seconds, refused)

    trading.run(30, 62)

    assert order(trading.order_id).filled_quantity == 200


def test_what_is_being_claimed_counts_for_the_cap(broker: SimulatedBroker) -> None:
    trading = Trading(broker)
    trading.pause(40)
    claimed = [one.id for one in trading.slices[:3]]

    with db.transaction() as session:
        # As a claim does that is not committed yet.
        session.execute(select(OrderSlice.id).where(OrderSlice.id.in_(claimed)).with_for_update())
        trading.resume(40, CatchUp.BURST)

    due = [one.due_at for one in trading.slices if one.id not in claimed]
    assert min(due) > trading.at(40)


class Crowd:
    """Workers, sweeps and a trader who pauses and resumes, all at the same instant of an order's time."""

    def __init__(self, trading: Trading, seconds: float) -> None:
        self.trading, self.seconds, self.now = trading, seconds, trading.at(seconds)

    def meet(self) -> None:
        threads = [
            threading.Thread(target=self._repeat, args=(one,)) for one in (self.control, *[self.work] * 2, self.sweep)
        ]
        for one in threads:
            one.start()
        for one in threads:
            one.join()

    def _repeat(self, deed: Callable[[], None]) -> None:
        for _ in range(6):
            deed()

    def control(self) -> None:
        with suppress(InvalidState):
            self.trading.pause(self.seconds)
            self.trading.resume(self.seconds, CatchUp.BURST)

    def work(self) -> None:
        due = [one for one in self.trading.slices if one.status is SliceStatus.SCHEDULED and one.due_at <= self.now]
        execute_slices([one.id for one in due[:16]], lambda: self.now)

    def sweep(self) -> None:
        # Where many orders are done, one that is locked is left to the next run.
        with suppress(DatabaseUnavailable):
            replan_crowded("paper", self.now)
            replan_orders(self.now)
            finish_orders(self.now)


def test_everything_at_once_from_many_connections_keeps_the_sums_and_the_cap(broker: SimulatedBroker) -> None:
    trading = Trading(broker)
    trading.run(0, 3)

    for seconds in (20, 35, 50):
        Crowd(trading, seconds).meet()
        for one in trading.slices:
            if one.status is SliceStatus.WORKING:
                broker.end(one.broker_order_id or "")
        track_slices(trading.at(seconds))
        trading.check()
    with suppress(InvalidState):
        trading.resume(51)
    trading.run(51, 62)

    assert order(trading.order_id).filled_quantity <= 200
