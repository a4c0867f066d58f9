"""What becomes of the open orders of an account whose user leaves."""

from datetime import timedelta

import pytest

from api_contract.vocabulary import OpenOrders, OrderStatus
from pulse_core.clock import utcnow
from pulse_core.trading.order import wind_down as module
from pulse_core.trading.order.wind_down import WoundDown, wind_down
from tests.support.factories import a_split_order, an_account, an_order, order

pytestmark = pytest.mark.usefixtures("clean_database")

LONG = timedelta(minutes=1)


def test_the_wish_is_done_to_every_open_order_of_the_account_alone() -> None:
    leaver, other = an_account(), an_account()
    running, waiting = a_split_order(account_id=leaver), an_order(account_id=leaver)
    others = a_split_order(account_id=other)

    assert wind_down(leaver, OpenOrders.KEEP, "acc_admin", utcnow(), LONG) == WoundDown(0, 0)
    # One that is still to be split cannot be paused yet.
    assert wind_down(leaver, OpenOrders.PAUSE, "acc_admin", utcnow(), LONG) == WoundDown(1, 1)
    assert [order(one).status for one in (running, waiting)] == [OrderStatus.PAUSED, OrderStatus.PENDING]
    assert wind_down(leaver, OpenOrders.CANCEL, "acc_admin", utcnow(), LONG) == WoundDown(2, 0)

    assert {order(one).status for one in (running, waiting)} == {OrderStatus.CANCELLED}
    assert wind_down(leaver, OpenOrders.CANCEL, "acc_admin", utcnow(), LONG) == WoundDown(0, 0)
    assert order(others).status is OrderStatus.IN_PROGRESS


def test_what_does_not_fit_into_the_time_is_told_and_done_by_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    leaver = an_account()
    for _ in range(3):
        a_split_order(account_id=leaver)
    instants = iter([0.0, 0.5, 1.5])
    with monkeypatch.context() as patch:
        patch.setattr(module, "boottime", lambda: next(instants))
        first = wind_down(leaver, OpenOrders.CANCEL, "acc_admin", utcnow(), timedelta(seconds=1))

    assert first == WoundDown(1, 2)
    assert wind_down(leaver, OpenOrders.CANCEL, "acc_admin", utcnow(), LONG) == WoundDown(2, 0)
