"""What one account may have open, and what can get out in a window: refused with the numbers, and under any race."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import text

from api_contract.errors import RiskLimit
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.owner import OneAccount
from pulse_core.trading.admission import demand
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.amend import amend_order
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.split import split_orders
from tests.support import servers
from tests.support.factories import a_new_order, a_split_order, an_account, order
from tests.support.processes import wait_until

pytestmark = pytest.mark.usefixtures("clean_database")

Set = Callable[..., None]


@pytest.fixture
def setting(clean_database: str) -> Iterator[Set]:
    """Sets settings of this process."""
    with pytest.MonkeyPatch.context() as patch:

        def change(**settings: object) -> None:
            for name, value in settings.items():
                patch.setenv(f"PULSE_{name.upper()}", str(value))
            servers.forget_settings()
            demand.forget()

        yield change
    servers.forget_settings()


@pytest.fixture(autouse=True)
def as_before(setting: Set) -> None:
    setting()


@pytest.fixture
def kite(setting: Set) -> None:
    """Kite's limits: 380 slices in a minute, as 20 are left to cancels."""
    setting(check_windows=True, broker_orders_per_second=10, broker_orders_per_minute=400, broker_orders_per_day=5000)


@contextmanager
def held(account_id: str) -> Iterator[None]:
    """Somebody is accepting an order of this account, and takes long."""
    with db.transaction() as session:
        session.execute(
            text("SELECT pg_advisory_xact_lock(hashtextextended(:account_id, 0))"), {"account_id": account_id}
        )
        yield


def submit(account_id: str, **changes: object) -> dict[str, object] | None:
    """The numbers of a refusal, None for an order that was accepted."""
    demand.forget()
    try:
        submit_order(account_id, a_new_order(**changes), utcnow())
    except RiskLimit as refused:
        return refused.details
    return None


def test_an_account_has_so_many_open_orders(setting: Set) -> None:
    setting(open_orders_per_account=2)
    account, other = an_account(), an_account()
    first = submit_order(account, a_new_order(), utcnow()).order_id
    assert submit(account) is None
    assert submit(account) == {"limit": "open_orders", "most": 2, "accepted": 2, "asked": 1, "left": 0}
    assert submit(other) is None, "what others have open does not count"

    cancel_order(OneAccount(account), first, utcnow(), account)
    assert submit(account) is None, "what has ended does not count"


def test_an_account_has_so_many_unsent_slices(setting: Set) -> None:
    setting(open_slices_per_account=12)
    account = an_account()
    assert submit(account, num_splits=5) is None
    a_split_order(utcnow(), account, num_splits=5)
    assert submit(account, num_splits=3) == {"limit": "open_slices", "most": 12, "accepted": 10, "asked": 3, "left": 2}
    assert submit(account, num_splits=2) is None


def test_slices_that_are_cancelled_make_room(setting: Set) -> None:
    account = an_account()
    order_id = a_split_order(utcnow(), account, num_splits=5)
    setting(open_slices_per_account=5)
    assert submit(account, num_splits=2) is not None
    cancel_order(OneAccount(account), order_id, utcnow(), account)
    assert submit(account, num_splits=5) is None


def test_an_order_that_was_accepted_is_found_again_beyond_the_cap(setting: Set) -> None:
    setting(open_orders_per_account=1)
    account, new_order = an_account(), a_new_order()
    first = submit_order(account, new_order, utcnow())
    again = submit_order(account, new_order, utcnow())
    assert (again.order_id, again.is_new) == (first.order_id, False)


@pytest.mark.parametrize("caps", [{"open_orders_per_account": 5}, {"open_slices_per_account": 27}])
def test_a_race_does_not_pass_the_cap(setting: Set, caps: dict[str, int]) -> None:
    setting(**caps)
    account, others = an_account(), [an_account() for _ in range(4)]
    with ThreadPoolExecutor(20) as threads:
        told = list(threads.map(lambda number: submit(others[number] if number < 4 else account), range(24)))
    assert told[:4] == [None] * 4
    assert told[4:].count(None) == 5
    assert {one["limit"] for one in told[4:] if one} == {next(iter(caps)).removesuffix("_per_account")}


@pytest.mark.usefixtures("kite")
def test_orders_of_different_accounts_do_not_wait_for_each_other() -> None:
    slow, quick = an_account(), an_account()
    with ThreadPoolExecutor(2) as threads, held(slow):
        waiting = threads.submit(submit, slow)
        assert threads.submit(submit, quick).result(10) is None
        assert not waiting.done()
    wait_until(waiting.done)


@pytest.mark.usefixtures("kite")
def test_what_cannot_get_out_in_its_window_is_refused_with_the_numbers() -> None:
    account = an_account()
    minute = {"num_splits": 100, "total_quantity": 1000, "duration_minutes": 1}
    assert [submit(account, **minute) for _ in range(3)] == [None] * 3
    assert submit(account, **minute) == {"limit": "window", "most": 380, "accepted": 300, "asked": 100, "left": 80}
    assert submit(account, num_splits=80, total_quantity=1000, duration_minutes=1) is None
    assert submit(account, num_splits=100, total_quantity=1000, duration_minutes=60) is None, "there is time for it"


@pytest.mark.parametrize("is_split", [False, True])
@pytest.mark.usefixtures("kite")
def test_a_window_is_shortened_to_none_in_which_its_slices_cannot_get_out(is_split: bool) -> None:
    account, now = an_account(), utcnow()
    many = {"num_splits": 100, "total_quantity": 1000}
    made = [submit_order(account, a_new_order(**many, duration_minutes=one), now).order_id for one in (1, 1, 1, 60)]
    if is_split:
        split_orders(made, now)
    before = order(made[-1])

    with pytest.raises(RiskLimit) as refused:
        amend_order(OneAccount(account), made[-1], {"duration_minutes": 1}, account, now, None)

    assert refused.value.details == {"limit": "window", "most": 380, "accepted": 300, "asked": 100, "left": 80}
    assert (order(made[-1]).end_at, order(made[-1]).updated_at) == (before.end_at, before.updated_at)
    amend_order(OneAccount(account), made[-1], {"duration_minutes": 30}, account, now, None)
    assert order(made[-1]).duration_minutes == 30


@pytest.mark.usefixtures("kite")
def test_a_greedy_account_leaves_others_their_part() -> None:
    greedy, honest = an_account(), an_account()
    minute = {"num_splits": 100, "total_quantity": 1000, "duration_minutes": 1}
    for _ in range(3):
        assert submit(greedy, **minute) is None
    assert submit(honest, num_splits=5, duration_minutes=1) is None
    assert submit(honest, **minute) is None
    # An equal part, and what the other one leaves.
    told = submit(honest, **minute)
    assert told == {"limit": "window", "most": 190, "accepted": 105, "asked": 100, "left": 85}


@pytest.mark.usefixtures("kite")
def test_a_window_that_begins_later_has_its_own_room() -> None:
    account, now = an_account(), utcnow()
    minute = {"num_splits": 100, "total_quantity": 1000, "duration_minutes": 1}
    for _ in range(3):
        assert submit(account, **minute) is None
    tomorrow = now + timedelta(hours=20)
    for _ in range(3):
        assert submit(account, **minute, start_at=tomorrow) is None
    told = submit(account, **minute, start_at=tomorrow)
    assert told == {"limit": "window", "most": 380, "accepted": 300, "asked": 100, "left": 80}


@pytest.mark.usefixtures("kite")
def test_a_day_has_room_for_so_many(setting: Set) -> None:
    setting(broker_orders_per_day=100)
    account = an_account()
    assert submit(account, num_splits=60, total_quantity=100, duration_minutes=10) is None
    told = submit(account, num_splits=60, total_quantity=100, duration_minutes=10)
    assert told == {"limit": "window", "most": 95, "accepted": 60, "asked": 60, "left": 35}


def test_without_limits_of_the_broker_any_window_is_wide_enough(setting: Set) -> None:
    setting(check_windows=True, broker_orders_per_second=0)
    account = an_account()
    for _ in range(6):
        assert submit(account, num_splits=100, total_quantity=1000, duration_minutes=1) is None


def test_a_refused_order_leaves_nothing_behind(setting: Set) -> None:
    setting(open_orders_per_account=1)
    account = an_account()
    kept = submit_order(account, a_new_order(), utcnow()).order_id
    for _ in range(3):
        assert submit(account) is not None
    assert order(kept).account_id == account
    with db.transaction() as session:
        rows = session.execute(text("SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM slice_events)"))
        assert rows.one() == (1, 1)
