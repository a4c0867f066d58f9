"""An order is accepted once under its key, whatever is repeated, races or is away."""

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select

from api_contract.errors import DuplicateOrderUniqueKey, InvalidQuantity, InvalidRequest
from api_contract.log import bound_trace
from api_contract.vocabulary import OrderStatus, OrderType, Product, SessionRule, Side
from pulse_core import db, queue
from pulse_core.clock import utcnow
from pulse_core.events.tables import SliceEvent
from pulse_core.queue import Wakeup
from pulse_core.trading.order.accept import Submission, submit_order
from pulse_core.trading.tables import Order
from tests.support.factories import a_new_order, an_account, an_order, later, order
from tests.support.processes import wait_until

pytestmark = pytest.mark.usefixtures("clean_database")


def orders_in_the_table() -> int:
    with db.transaction() as session:
        return session.scalar(select(func.count()).select_from(Order)) or 0


def test_an_accepted_order_is_pending_with_its_window_its_seed_and_its_trace() -> None:
    now = utcnow()
    with bound_trace({"request_id": "r-1", "trace_id": "t-1"}):
        submitted = submit_order(an_account(), a_new_order(duration_minutes=60), now)

    accepted = order(submitted.order_id)
    assert submitted.is_new
    assert accepted.status is OrderStatus.PENDING
    assert (accepted.start_at, (accepted.end_at - accepted.start_at).total_seconds()) == (now, 3600)
    assert accepted.trace == {"request_id": "r-1", "trace_id": "t-1"}
    assert 0 <= accepted.seed < 2**63


def test_its_acceptance_is_the_first_event_of_an_order() -> None:
    order_id = submit_order(an_account(), a_new_order(), utcnow()).order_id

    with db.transaction() as session:
        (event,) = session.scalars(select(SliceEvent).where(SliceEvent.order_id == order_id))
    assert (event.from_status, event.to_status, event.slice_id) == (None, "PENDING", None)


def test_the_same_order_again_finds_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    account, new_order = an_account(), a_new_order()
    first = submit_order(account, new_order, utcnow())
    woken: list[str] = []
    monkeypatch.setattr(queue, "wake", lambda task, *args, **_options: woken.append(task))
    again = submit_order(account, new_order, utcnow())

    assert (again.order_id, again.is_new, orders_in_the_table(), woken) == (first.order_id, False, 1, [])


@pytest.mark.parametrize(
    "changes",
    [
        {"instrument": "BSE:RELIANCE"},
        {"side": Side.SELL},
        {"total_quantity": 101},
        {"num_splits": 6},
        {"duration_minutes": 61},
        {"randomize": True},
        {"side": Side.SELL, "total_quantity": 101},
        {"order_type": OrderType.LIMIT, "limit_price": Decimal("2500.05")},
        {"session": SessionRule.WAIT},
        {"product": Product.MIS},
        {"slice_timeout_seconds": 30},
        {"client_note": "hedge"},
        {"start_at": datetime.now(UTC) + timedelta(days=1)},
    ],
)
def test_another_order_under_the_same_key_is_refused_and_the_differences_are_named(changes: dict[str, object]) -> None:
    account, new_order = an_account(), a_new_order()
    first = submit_order(account, new_order, utcnow())

    with pytest.raises(DuplicateOrderUniqueKey) as refusal:
        submit_order(account, replace(new_order, **changes), utcnow())

    assert refusal.value.details["existing_order_id"] == first.order_id
    named = {name.removeprefix("split_config.") for name in refusal.value.details["differs"]}
    assert named == set(changes)
    assert orders_in_the_table() == 1


def test_two_accounts_may_use_the_same_key() -> None:
    new_order = a_new_order()

    submitted = [submit_order(an_account(), new_order, utcnow()) for _ in range(2)]

    assert [one.is_new for one in submitted] == [True, True]


def test_sixteen_clients_racing_with_one_key_make_one_order() -> None:
    account, new_order, start = an_account(), a_new_order(), threading.Barrier(16)

    def submit(_client: int) -> Submission:
        start.wait()
        return submit_order(account, new_order, utcnow())

    with ThreadPoolExecutor(16) as clients:
        submitted = list(clients.map(submit, range(16)))

    assert len({one.order_id for one in submitted}) == 1
    assert sum(one.is_new for one in submitted) == 1
    assert orders_in_the_table() == 1


def test_an_order_that_breaks_a_rule_leaves_no_row() -> None:
    with pytest.raises(InvalidQuantity):
        submit_order(an_account(), a_new_order(total_quantity=4, num_splits=5), utcnow())

    assert orders_in_the_table() == 0


def test_the_worker_is_woken_only_after_the_order_can_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Order] = []
    # `order` reads over a connection of its own: it sees only what is committed.
    monkeypatch.setattr(queue, "wake", lambda _task, order_id, **_options: found.append(order(order_id)))

    submitted = submit_order(an_account(), a_new_order(), utcnow())

    assert [one.id for one in found] == [submitted.order_id]


def test_a_queue_that_does_not_answer_holds_up_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    is_asked, may_answer = threading.Event(), threading.Event()

    def hang(_wakeups: Iterable[Wakeup]) -> None:
        is_asked.set()
        assert may_answer.wait(30)
        raise ConnectionError

    monkeypatch.setattr(queue, "send", hang)
    account = an_account()
    submitted = [submit_order(account, a_new_order(), utcnow()) for _ in range(3)]

    wait_until(is_asked.is_set)
    assert not may_answer.is_set()
    assert all(order(one.order_id).status is OrderStatus.PENDING for one in submitted)
    may_answer.set()


def test_a_start_in_the_past_or_too_far_away_is_refused_and_nothing_is_kept() -> None:
    for start_at in (later(-60), later(31 * 86_400)):
        with pytest.raises(InvalidRequest, match="start_at"):
            submit_order(an_account(), a_new_order(start_at=start_at), utcnow())

    assert orders_in_the_table() == 0


def test_an_order_for_later_is_found_again_when_its_start_has_passed() -> None:
    account, new_order = an_account(), a_new_order(start_at=later(60))
    first = submit_order(account, new_order, utcnow())

    again = submit_order(account, new_order, utcnow() + timedelta(hours=2))

    assert (again.order_id, again.is_new) == (first.order_id, False)


def test_the_window_of_an_order_opens_at_its_start() -> None:
    start_at = later(3600)

    accepted = order(an_order(start_at=start_at, duration_minutes=30))

    assert (accepted.start_at, accepted.end_at) == (start_at, start_at + timedelta(minutes=30))
