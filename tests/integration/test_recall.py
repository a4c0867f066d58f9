"""What still works past its deadline, or for a cancelled order, is called back until the book shows its end."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select, text

from api_contract.vocabulary import OrderResult, OrderStatus, SliceStatus, WorkingSlices
from pulse_core import db
from pulse_core.brokers.port import OutcomeUnknown
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.events.names import EventKind
from pulse_core.events.tables import SliceEvent
from pulse_core.owner import OneAccount
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.pause import pause_order, resume_order
from pulse_core.trading.slice.cancel_working import BATCH, cancel_slices
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.slice.operations import retry_slice
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store import at_broker
from pulse_core.trading.tables import OrderSlice
from pulse_core.trading.vocabulary import CancelReason
from tests.support.broker import SimulatedBroker, accept_but_lose_the_answer
from tests.support.factories import a_slice, a_split_order, an_account, order, slices_of, watch_the_book


def a_working_slice(account_id: str | None = None) -> OrderSlice:
    first = slices_of(a_split_order(account_id=account_id))[0]
    execute_slice(first.id)
    return a_slice(first.id)


def deadline(one: OrderSlice) -> datetime:
    assert one.deadline_at is not None
    return one.deadline_at


def keep_working(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker takes requests to cancel, and nothing comes of them."""
    monkeypatch.setattr(broker, "cancel", broker.cancels.append)


def test_a_slice_works_until_its_deadline(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    assert one.sent_at is not None
    assert deadline(one) - one.sent_at >= timedelta(seconds=settings().slice_timeout)

    assert cancel_slices(deadline(one) - timedelta(seconds=1)) == 0
    assert broker.cancels == []


def test_at_its_deadline_the_rest_is_cancelled_and_the_slice_expires_with_its_fills(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    broker.fill(one.broker_order_id or "", 8)

    assert cancel_slices(deadline(one)) == 1
    assert a_slice(one.id).status is SliceStatus.WORKING
    track_slices(deadline(one))

    expired = a_slice(one.id)
    assert (expired.status, expired.filled_quantity, expired.cancel_reason) == (
        SliceStatus.EXPIRED,
        8,
        CancelReason.DEADLINE,
    )
    assert broker.cancels == [one.broker_order_id]


def test_a_slice_filled_before_the_request_arrived_is_filled(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    broker.fill(one.broker_order_id or "")

    cancel_slices(deadline(one))
    track_slices(deadline(one))

    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.FILLED, 20)


def test_the_working_slice_of_a_cancelled_order_is_cancelled_with_its_fills(broker: SimulatedBroker) -> None:
    account = an_account()
    one = a_working_slice(account)
    broker.fill(one.broker_order_id or "", 8)
    cancel_order(OneAccount(account), one.order_id, utcnow(), account)

    cancel_slices(utcnow())
    track_slices(utcnow())

    assert (a_slice(one.id).status, a_slice(one.id).filled_quantity) == (SliceStatus.CANCELLED, 8)
    ended = order(one.order_id)
    assert (ended.status, ended.result, ended.filled_quantity) == (
        OrderStatus.CANCELLED,
        OrderResult.PARTIALLY_FILLED,
        8,
    )


def test_a_paused_order_calls_back_what_works_and_stays_paused(broker: SimulatedBroker) -> None:
    account = an_account()
    one = a_working_slice(account)
    broker.fill(one.broker_order_id or "", 8)
    pause_order(OneAccount(account), one.order_id, account, utcnow())
    assert cancel_slices(utcnow()) == 0
    for _ in range(2):
        pause_order(OneAccount(account), one.order_id, account, utcnow(), working=WorkingSlices.CANCEL)

    assert cancel_slices(utcnow()) == 1
    track_slices(utcnow())

    ended = a_slice(one.id)
    assert (ended.status, ended.filled_quantity) == (SliceStatus.CANCELLED, 8)
    assert ended.cancel_reason is CancelReason.ORDER_PAUSED
    assert (order(one.order_id).status, order(one.order_id).filled_quantity) == (OrderStatus.PAUSED, 8)
    assert broker.cancels == [one.broker_order_id]
    assert [said.get("working") for said in requests_of(one.order_id)] == [None, "cancel"]


def test_what_turns_out_to_work_after_the_pause_is_called_back_too(broker: SimulatedBroker) -> None:
    broker.answers = [accept_but_lose_the_answer]
    account = an_account()
    first = slices_of(a_split_order(account_id=account))[0]
    execute_slice(first.id)
    pause_order(OneAccount(account), first.order_id, account, utcnow(), working=WorkingSlices.CANCEL)
    assert cancel_slices(utcnow()) == 0

    watch_the_book(utcnow(), utcnow() + timedelta(seconds=1))

    assert a_slice(first.id).status is SliceStatus.WORKING
    assert cancel_slices(utcnow()) == 1


def test_once_resumed_nothing_is_called_back(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    account = an_account()
    one = a_working_slice(account)
    pause_order(OneAccount(account), one.order_id, account, utcnow(), working=WorkingSlices.CANCEL)
    listed = at_broker.to_cancel

    def resumed_after_listing(*given: Any) -> Sequence[OrderSlice]:
        due = listed(*given)
        resume_order(OneAccount(account), one.order_id, account, utcnow())
        return due

    monkeypatch.setattr(at_broker, "to_cancel", resumed_after_listing)
    assert cancel_slices(utcnow()) == 1
    monkeypatch.setattr(at_broker, "to_cancel", listed)

    assert cancel_slices(utcnow()) == 0
    assert (broker.cancels, a_slice(one.id).cancel_reason) == ([], None)
    # Another pause has a wish of its own.
    pause_order(OneAccount(account), one.order_id, account, utcnow())
    assert cancel_slices(utcnow()) == 0


def requests_of(order_id: str) -> list[dict[str, Any]]:
    with db.transaction() as session:
        asked = select(SliceEvent.detail).where(SliceEvent.order_id == order_id, SliceEvent.kind == EventKind.REQUEST)
        return list(session.scalars(asked.order_by(SliceEvent.id)))


def test_the_broker_is_asked_again_after_pauses_that_grow_from_10_s_to_5_min(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = a_working_slice()
    keep_working(broker, monkeypatch)

    asked = [second for second in range(0, 1300, 5) if cancel_slices(deadline(one) + timedelta(seconds=second))]

    assert [later - earlier for earlier, later in pairwise(asked)] == [10, 20, 40, 80, 160, 300, 300, 300]
    assert broker.cancels == [one.broker_order_id] * len(asked)


def test_a_slice_that_is_sent_again_begins_with_the_shortest_pause(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = a_working_slice()
    keep_working(broker, monkeypatch)
    for second in (0, 10, 30):
        cancel_slices(deadline(one) + timedelta(seconds=second))
    assert a_slice(one.id).cancel_asks == 3

    broker.reject(one.broker_order_id or "")
    track_slices(utcnow())
    retry_slice(one.id, "ops", utcnow())
    execute_slice(one.id)

    assert (a_slice(one.id).cancel_asks, a_slice(one.id).cancel_asked_at) == (0, None)


def test_a_thousand_that_cannot_be_cancelled_hold_up_no_other(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = utcnow()
    for _ in range(10):
        make_all_work(a_split_order(num_splits=100, total_quantity=1000), asked_at=now - timedelta(hours=1), asks=9)
    one = a_working_slice()
    keep_working(broker, monkeypatch)
    # Further broken ones turn up all the while, asked for once already.
    make_all_work(a_split_order(num_splits=100, total_quantity=1000), asked_at=now - timedelta(seconds=11), asks=1)

    started = time.monotonic()
    assert cancel_slices(deadline(one)) == BATCH

    assert one.broker_order_id in broker.cancels
    assert time.monotonic() - started < 2


def test_those_asked_for_least_often_come_first_and_among_them_the_one_asked_for_longest_ago(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = utcnow()
    often, lately, long_ago = (slices_of(a_split_order(num_splits=2, total_quantity=2)) for _ in range(3))
    make_all_work(often[0].order_id, asked_at=now - timedelta(hours=2), asks=7)
    make_all_work(lately[0].order_id, asked_at=now - timedelta(minutes=1), asks=1)
    make_all_work(long_ago[0].order_id, asked_at=now - timedelta(hours=1), asks=1)
    keep_working(broker, monkeypatch)

    for _ in range(3):
        cancel_slices(now, limit=2)

    told = [one.id[-20:] for one in (*long_ago, *lately, *often)]
    assert [{*broker.cancels[at : at + 2]} for at in (0, 2, 4)] == [{*told[at : at + 2]} for at in (0, 2, 4)]


def test_orders_of_another_broker_are_not_called_back(broker: SimulatedBroker) -> None:
    one = a_working_slice()
    broker.name = "zerodha"

    assert cancel_slices(deadline(one)) == 0
    assert broker.cancels == []


def make_all_work(order_id: str, asked_at: datetime, asks: int) -> None:
    """Let all slices of an order work at the broker past their deadline, after some requests to cancel them."""
    attempted = """INSERT INTO placements
        (client_order_id, slice_id, attempt, quantity, broker, broker_order_id, outcome, claimed_at)
        SELECT right(id, 20), id, 1, quantity, 'paper', right(id, 20), 'ACKNOWLEDGED', :at
        FROM order_slices WHERE order_id = :order_id"""
    working = """UPDATE order_slices SET status = 'WORKING', attempts = 1, client_order_id = right(id, 20),
        broker_order_id = right(id, 20), sent_at = :at, deadline_at = :at, cancel_asked_at = :at, cancel_asks = :asks
        WHERE order_id = :order_id"""
    with db.transaction() as session:
        for statement in (attempted, working):
            session.execute(text(statement), {"order_id": order_id, "at": asked_at, "asks": asks})


def test_two_sweeps_with_the_same_list_ask_once(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    working = [a_working_slice(), a_working_slice()]
    asked: list[str] = []

    def ask_while_another_sweep_runs(broker_order_id: str) -> None:
        asked.append(broker_order_id)
        cancel_slices(deadline(working[-1]))

    monkeypatch.setattr(broker, "cancel", ask_while_another_sweep_runs)
    cancel_slices(deadline(working[-1]))

    # Slices are called back side by side, so in no order.
    assert sorted(asked) == sorted(one.broker_order_id or "" for one in working)


def test_a_slice_that_ended_meanwhile_is_not_called_back(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = a_working_slice(), a_working_slice()
    listed = at_broker.to_cancel

    def list_and_fill_the_second(*args: Any, **options: Any) -> Sequence[OrderSlice]:
        found = listed(*args, **options)
        broker.fill(second.broker_order_id or "")
        track_slices(deadline(second))
        return found

    monkeypatch.setattr(at_broker, "to_cancel", list_and_fill_the_second)
    cancel_slices(deadline(second))

    assert broker.cancels == [first.broker_order_id]
    assert (a_slice(second.id).status, a_slice(second.id).cancel_reason) == (SliceStatus.FILLED, None)


def test_a_lost_answer_is_recorded_and_the_book_decides(
    broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, take = a_working_slice(), broker.cancel

    def take_and_lose_the_answer(broker_order_id: str) -> None:
        take(broker_order_id)
        raise OutcomeUnknown("TIMEOUT", "no answer within 7 s")

    monkeypatch.setattr(broker, "cancel", take_and_lose_the_answer)
    cancel_slices(deadline(one))
    assert a_slice(one.id).status is SliceStatus.WORKING
    track_slices(deadline(one))

    assert a_slice(one.id).status is SliceStatus.EXPIRED
    with db.transaction() as session:
        rows = select(SliceEvent).where(SliceEvent.slice_id == one.id, SliceEvent.kind == EventKind.BROKER_CALL)
        answers = [event.detail["answer"] for event in session.scalars(rows) if event.detail["call"] == "cancel"]
    assert answers == ["TIMEOUT: no answer within 7 s"]


def test_calls_are_bounded_for_each_run(broker: SimulatedBroker) -> None:
    last = [a_working_slice() for _ in range(3)][-1]

    assert cancel_slices(deadline(last), limit=2) == 2
    assert len(broker.cancels) == 2
