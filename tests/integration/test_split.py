"""An order becomes its schedule once, or is skipped with the reason."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
from sqlalchemy import update

from api_contract.errors import InvalidState
from api_contract.log import bound_trace, current_trace
from api_contract.vocabulary import OrderResult, OrderStatus, SliceStatus
from pulse_core import db, failpoints, queue
from pulse_core.clock import utcnow
from pulse_core.config import settings
from pulse_core.events.tables import SliceEvent
from pulse_core.owner import OneAccount
from pulse_core.tasks import Task
from pulse_core.trading import schedule
from pulse_core.trading.order import split
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.split import FORGOTTEN_AFTER, split_forgotten_orders, split_orders
from pulse_core.trading.schedule import PlannedSlice
from pulse_core.trading.slice.dispatch import dispatch_due_slices
from pulse_core.trading.store import events, orders
from pulse_core.trading.store.slices import HINT_LIFETIME
from pulse_core.trading.tables import Order
from pulse_core.trading.trading_time import TradingTime
from tests.support.factories import a_slice, a_split_order, an_account, an_order, order, slices_of
from tests.support.statements import statements

pytestmark = pytest.mark.usefixtures("clean_database")


def events_of(order_id: str) -> Sequence[SliceEvent]:
    with db.transaction() as session:
        return events.of_order(session, order_id)


def test_the_slices_are_those_of_the_stored_seed() -> None:
    order_id = a_split_order(total_quantity=1000, num_splits=10, randomize=True)
    parent = order(order_id)
    planned = schedule.plan(1000, 10, parent.start_at, timedelta(minutes=60), parent.seed)

    slices = slices_of(order_id)
    assert parent.status is OrderStatus.IN_PROGRESS
    assert [(one.sequence_number, one.quantity, one.scheduled_at) for one in slices] == [
        (one.sequence_number, one.quantity, one.scheduled_at) for one in planned
    ]
    assert {one.status for one in slices} == {SliceStatus.SCHEDULED}
    assert all(one.due_at == one.scheduled_at for one in slices)


def test_splitting_again_changes_nothing() -> None:
    order_id = a_split_order()
    before = [one.id for one in slices_of(order_id)]

    split_orders([order_id], utcnow())

    assert [one.id for one in slices_of(order_id)] == before


@pytest.mark.parametrize("is_swept", [False, True])
def test_an_order_that_somebody_holds_locked_is_left_and_the_others_are_split(is_swept: bool) -> None:
    past = utcnow() - FORGOTTEN_AFTER - timedelta(seconds=1)
    held, free = an_order(past), an_order(past)

    with db.transaction() as session:
        orders.lock(session, held)
        if is_swept:
            split_forgotten_orders(utcnow())
        else:
            split_orders([held, free], utcnow())

    assert [order(one).status for one in (held, free)] == [OrderStatus.PENDING, OrderStatus.IN_PROGRESS]
    split_forgotten_orders(utcnow())
    assert order(held).status is OrderStatus.IN_PROGRESS


def test_workers_splitting_at_once_split_once() -> None:
    order_ids, start = [an_order() for _ in range(6)], threading.Barrier(4)

    def split(_worker: int) -> None:
        start.wait()
        split_orders(order_ids, utcnow())

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(split, range(4)))

    for order_id in order_ids:
        assert [one.sequence_number for one in slices_of(order_id)] == [1, 2, 3, 4, 5]


def test_orders_of_one_message_are_each_split_as_if_alone() -> None:
    order_ids = [an_order(num_splits=count, total_quantity=97) for count in (2, 5, 11)]

    split_orders(order_ids, utcnow())

    for order_id, count in zip(order_ids, (2, 5, 11), strict=True):
        parent = order(order_id)
        planned = schedule.plan(97, count, parent.start_at, timedelta(minutes=60))
        assert [(one.quantity, one.scheduled_at) for one in slices_of(order_id)] == [
            (one.quantity, one.scheduled_at) for one in planned
        ]
        moves = [(one.account_id, one.from_status, one.to_status) for one in events_of(order_id)]
        assert moves == [(parent.account_id, None, "PENDING"), (parent.account_id, "PENDING", "IN_PROGRESS")]


def test_twenty_orders_cost_as_many_statements_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "wake", lambda *_args, **_options: None)

    def cost(count: int) -> int:
        order_ids = [an_order() for _ in range(count)]
        with statements() as made:
            split_orders(order_ids, utcnow())
        return len(made)

    assert cost(1) == cost(20) == 4
    assert cost(21) == 8


def test_a_defect_in_one_order_holds_up_none_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    first, broken, last = (an_order() for _ in range(3))
    plan = split.plan_of

    def fails(parent: Order, time: TradingTime) -> list[PlannedSlice]:
        if parent.id == broken:
            raise ZeroDivisionError
        return plan(parent, time)

    monkeypatch.setattr(split, "plan_of", fails)

    with pytest.raises(ZeroDivisionError):
        split_orders([first, broken, last], utcnow())

    assert [order(one).status for one in (first, broken, last)] == [
        OrderStatus.IN_PROGRESS,
        OrderStatus.PENDING,
        OrderStatus.IN_PROGRESS,
    ]


def test_each_order_of_a_message_has_its_own_trace_in_wake_ups_and_log_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, set[str]] = {}

    def note(about: str) -> None:
        seen.setdefault(about, set()).add(current_trace()["trace_id"])

    order_ids = []
    for trace in ("1", "2", "3"):
        with bound_trace({"trace_id": trace}):
            order_ids.append(an_order())
    monkeypatch.setattr(queue, "wake", lambda _task, slice_id, **_options: note(a_slice(slice_id).order_id))
    lines = SimpleNamespace(info=lambda _event, *, order_id, **_fields: note(order_id))
    for module in (split, orders):
        monkeypatch.setattr(module, "log", lines)

    split_orders(order_ids, utcnow())

    assert seen == {order_id: {trace} for order_id, trace in zip(order_ids, ("1", "2", "3"), strict=True)}


class Crash(BaseException):
    """What nothing of the service may catch."""


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The slices that were handed to Celery."""
    slice_ids: list[str] = []

    def note(task: Task, *about: str, **_options: object) -> None:
        # Slices that are due at nearly the same time share a message.
        if task is Task.EXECUTE_SLICE:
            slice_ids.extend(about)

    monkeypatch.setattr(queue, "wake", note)
    # What tests before have left to the outbox comes here, too.
    monkeypatch.setattr(queue, "send", lambda wakeups: [note(one.task, *one.args) for one in wakeups])
    return slice_ids


def crash_at(point: str, order_ids: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def crash() -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setitem(failpoints.actions, point, crash)
        with pytest.raises(Crash):
            split_orders(order_ids, utcnow())


def test_a_crash_before_the_commit_leaves_every_order_to_the_sweep(
    woken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    order_ids = [an_order() for _ in range(3)]
    crash_at("split.before_commit", order_ids, monkeypatch)

    assert [(order(one).status, slices_of(one)) for one in order_ids] == [(OrderStatus.PENDING, [])] * 3
    assert woken == []

    split_forgotten_orders(utcnow() + FORGOTTEN_AFTER)
    assert {order(one).status for one in order_ids} == {OrderStatus.IN_PROGRESS}


@pytest.mark.parametrize("point", ["split.after_commit", "split.between_wakeups"])
def test_a_crash_after_the_commit_loses_no_slice(point: str, woken: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    order_ids = [an_order(utcnow() - timedelta(minutes=2), duration_minutes=1) for _ in range(3)]
    crash_at(point, order_ids, monkeypatch)
    before = {one.id for order_id in order_ids for one in slices_of(order_id)}
    assert len(before) == 15

    split_orders(order_ids, utcnow())
    dispatch_due_slices(utcnow() + HINT_LIFETIME)

    assert before == {one.id for order_id in order_ids for one in slices_of(order_id)} == set(woken)


def test_an_order_that_does_not_exist_is_nothing_to_split() -> None:
    split_orders(["ord_01ARZ3NDEKTSV4RRFFQ69G5FAV"], utcnow())

    assert slices_of("ord_01ARZ3NDEKTSV4RRFFQ69G5FAV") == []


def test_a_cancelled_order_is_not_split() -> None:
    account = an_account()
    order_id = an_order(account_id=account)
    cancel_order(OneAccount(account), order_id, utcnow(), account)

    split_orders([order_id], utcnow())

    assert (order(order_id).status, slices_of(order_id)) == (OrderStatus.CANCELLED, [])


def test_an_order_whose_window_closed_long_ago_is_skipped_and_says_why() -> None:
    order_id = an_order()
    long_after = order(order_id).end_at + timedelta(seconds=settings().late_grace + 1)

    split_orders([order_id], long_after)

    skipped = order(order_id)
    assert (skipped.status, skipped.result, skipped.finished_at) == (
        OrderStatus.SKIPPED,
        OrderResult.UNFILLED,
        long_after,
    )
    assert "window had closed" in (skipped.skip_reason or "")
    assert slices_of(order_id) == []


def test_a_skipped_order_cannot_be_cancelled() -> None:
    account = an_account()
    order_id = an_order(account_id=account)
    split_orders([order_id], order(order_id).end_at + timedelta(seconds=settings().late_grace + 1))

    with pytest.raises(InvalidState):
        cancel_order(OneAccount(account), order_id, utcnow(), account)


def test_an_order_with_fewer_shares_than_slices_is_skipped_and_does_not_hold_up_the_others() -> None:
    hopeless, other = an_order(total_quantity=100), an_order()
    with db.transaction() as session:
        session.execute(update(Order).where(Order.id == hopeless).values(total_quantity=4))

    split_forgotten_orders(utcnow() + FORGOTTEN_AFTER)

    assert (order(hopeless).status, order(hopeless).result) == (OrderStatus.SKIPPED, OrderResult.UNFILLED)
    assert "4 shares are too few" in (order(hopeless).skip_reason or "")
    assert order(other).status is OrderStatus.IN_PROGRESS


def test_an_order_whose_message_was_lost_is_split_by_the_sweep() -> None:
    order_id = an_order()

    assert split_forgotten_orders(utcnow()) == 0
    assert split_forgotten_orders(utcnow() + FORGOTTEN_AFTER) == 1
    assert order(order_id).status is OrderStatus.IN_PROGRESS
    assert split_forgotten_orders(utcnow() + FORGOTTEN_AFTER) == 0


def test_only_slices_within_the_horizon_are_handed_to_celery_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[tuple[str, datetime]] = []
    order_id = an_order(duration_minutes=1, num_splits=13)
    monkeypatch.setattr(queue, "wake", lambda _task, slice_id, *, eta, shown: woken.append((slice_id, eta)))

    split_orders([order_id], order(order_id).start_at)

    # Every 5 s one, and a horizon of 10 s.
    assert woken == [(one.id, one.scheduled_at) for one in slices_of(order_id)[:3]]
    assert [one.hinted_until is not None for one in slices_of(order_id)] == [True] * 3 + [False] * 10


def test_slices_of_an_order_split_late_are_handed_over_once_too() -> None:
    order_id = an_order(duration_minutes=1)
    late = order(order_id).end_at

    split_orders([order_id], late)

    assert all(one.hinted_until is not None and one.hinted_until > late for one in slices_of(order_id))
