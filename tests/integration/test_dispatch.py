"""Slices reach Celery shortly before their time: each once while its message lives, again when it was lost."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text, update

from api_contract.vocabulary import OrderStatus
from pulse_core import db, queue
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.owner import OneAccount
from pulse_core.queue import Wakeup
from pulse_core.tasks import Task
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.slice import dispatch
from pulse_core.trading.slice.dispatch import dispatch_due_slices
from pulse_core.trading.store.slices import HINT_LIFETIME, change
from pulse_core.trading.tables import Order
from tests.support.factories import a_split_order, an_account, order, slices_of

pytestmark = pytest.mark.usefixtures("clean_database")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Wakeup]:
    """What is sent to the queue."""
    wakeups: list[Wakeup] = []
    monkeypatch.setattr(queue, "send", wakeups.extend)
    monkeypatch.setattr(queue, "wake", lambda *_args, **_options: None)
    return wakeups


def told(sent: Iterable[Wakeup]) -> list[str]:
    return [slice_id for one in sent for slice_id in one.args]


def horizon() -> timedelta:
    return timedelta(seconds=settings().dispatch_horizon)


def test_a_slice_is_sent_when_it_comes_into_the_horizon_with_its_time_and_trace(sent: list[Wakeup]) -> None:
    order_id = a_split_order()
    second = slices_of(order_id)[1]

    dispatch_due_slices(second.scheduled_at - horizon() - timedelta(seconds=1))
    assert second.id not in told(sent)

    dispatch_due_slices(second.scheduled_at - horizon())
    (message,) = [one for one in sent if one.args == (second.id,)]
    assert (message.task, message.eta) == (Task.EXECUTE_SLICE, second.scheduled_at)
    assert dict(message.trace) == order(order_id).trace
    assert message.shown == f"BUY 20 NSE:RELIANCE · {order_id} · 2/5"


def test_two_dispatchers_at_once_never_take_a_slice_twice(sent: list[Wakeup], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "BATCH", 3)
    order_ids = [a_split_order(num_splits=10) for _ in range(6)]
    now, start = utcnow() + timedelta(hours=1), threading.Barrier(6)

    def run(_beat: int) -> int:
        start.wait()
        return dispatch_due_slices(now)

    with ThreadPoolExecutor(6) as dispatchers:
        list(dispatchers.map(run, range(6)))
    dispatch_due_slices(now)

    expected = sorted(one.id for order_id in order_ids for one in slices_of(order_id))
    assert sorted(told(sent)) == expected


def test_a_hint_that_led_to_nothing_is_given_again_after_its_lifetime(sent: list[Wakeup]) -> None:
    due = slices_of(a_split_order())[1]
    dispatch_due_slices(due.scheduled_at)
    sent.clear()

    dispatch_due_slices(due.scheduled_at + HINT_LIFETIME - timedelta(seconds=1))
    assert due.id not in told(sent)

    dispatch_due_slices(due.scheduled_at + HINT_LIFETIME)
    assert told(sent).count(due.id) == 1


def test_a_batch_lost_with_the_queue_is_sent_again_later(sent: list[Wakeup], monkeypatch: pytest.MonkeyPatch) -> None:
    due = slices_of(a_split_order())[1]
    monkeypatch.setattr(queue, "send", fail_to_send)
    with pytest.raises(ConnectionError):
        dispatch_due_slices(due.scheduled_at)
    monkeypatch.setattr(queue, "send", sent.extend)

    dispatch_due_slices(due.scheduled_at + HINT_LIFETIME)

    assert due.id in told(sent)


def test_the_slices_of_a_paused_or_cancelled_order_are_not_sent(sent: list[Wakeup]) -> None:
    account = an_account()
    paused, cancelled = a_split_order(), a_split_order(account_id=account)
    with db.transaction() as session:
        session.execute(update(Order).where(Order.id == paused).values(status=OrderStatus.PAUSED))
    cancel_order(OneAccount(account), cancelled, utcnow(), account)

    dispatch_due_slices(utcnow() + timedelta(hours=1))

    assert sent == []


def test_batches_are_bounded_and_the_earliest_come_first(sent: list[Wakeup], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "BATCH", 2)
    monkeypatch.setattr(dispatch, "MOST_BATCHES", 2)
    slices = slices_of(a_split_order(num_splits=10, max_slice_multiple=10))
    end: datetime = slices[-1].scheduled_at

    assert dispatch_due_slices(end) == 4
    assert set(told(sent)) == {one.id for one in slices[:4]}
    assert dispatch_due_slices(end) == 4


@pytest.mark.usefixtures("sent")
def test_a_batch_is_bounded_however_postgres_plans_it() -> None:
    # The first is handed on when its order is split.
    _, *slices = slices_of(a_split_order(num_splits=10))
    with db.transaction() as session:
        for way in ("mergejoin", "material", "hashjoin", "hashagg", "sort", "memoize"):
            session.execute(text(f"SET LOCAL enable_{way} = off"))
        taken = dispatch.due_slices.take_due(session, "paper", slices[-1].scheduled_at, utcnow(), 2)

    assert {one.id for one in taken} == {one.id for one in slices[:2]}


def test_a_slice_that_waits_for_its_next_attempt_is_sent_for_that_time(sent: list[Wakeup]) -> None:
    first = slices_of(a_split_order())[0]
    again_at = first.scheduled_at + timedelta(seconds=45)
    with db.transaction() as session:
        change(session, first.id, utcnow(), due_at=again_at, hinted_until=None)

    dispatch_due_slices(again_at - horizon())

    assert [(one.args[0], one.eta) for one in sent] == [(first.id, again_at)]


def test_slices_that_are_due_together_share_a_message(sent: list[Wakeup]) -> None:
    alone, order_id = a_split_order(num_splits=2), a_split_order(num_splits=20)
    due_at = utcnow() + timedelta(minutes=5)
    with db.transaction() as session:
        for one in slices_of(order_id):
            change(session, one.id, utcnow(), due_at=due_at, hinted_until=None)

    dispatch_due_slices(due_at - horizon())

    batches = [one for one in sent if one.eta == due_at]
    assert [len(one.args) for one in batches] == [16, 4]
    assert sorted(told(batches)) == sorted(one.id for one in slices_of(order_id))
    assert [dict(one.trace) for one in batches] == [order(order_id).trace] * 2
    assert [one.shown for one in batches] == [f"{n} slices · BUY 5 NSE:RELIANCE · {order_id}" for n in (16, 4)]
    assert {slices_of(alone)[1].id}.isdisjoint(told(batches))


def test_a_batch_of_several_orders_names_them_all_and_belongs_to_no_trace(sent: list[Wakeup]) -> None:
    names = "NSE:SBIN", "NSE:TCS"
    order_ids = [a_split_order(instrument=name, num_splits=2) for name in names]
    due_at = utcnow() + timedelta(minutes=5)
    with db.transaction() as session:
        for order_id, late in zip(order_ids, (0, 1), strict=True):
            changes = {"due_at": due_at + timedelta(milliseconds=late), "hinted_until": None}
            change(session, slices_of(order_id)[1].id, utcnow(), **changes)

    dispatch_due_slices(due_at - horizon() + timedelta(milliseconds=1))

    (batch,) = [one for one in sent if len(one.args) > 1]
    assert (batch.eta, batch.trace) == (due_at + timedelta(milliseconds=1), ())
    assert batch.shown is not None
    assert batch.shown.startswith("2 slices · BUY 50 NSE:")
    assert all(f"BUY 50 {name} · {one}" in batch.shown for name, one in zip(names, order_ids, strict=True))


def fail_to_send(_wakeups: Iterable[Wakeup]) -> None:
    raise ConnectionError
