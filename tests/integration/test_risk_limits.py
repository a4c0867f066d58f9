"""What an account may do at most: at its edge, under any race, and again before each slice.

RACING is how many orders race each other.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from api_contract.alarms import AlarmStatus
from api_contract.errors import InvalidRequest, NotFound, RiskLimit
from api_contract.risk_rules import RiskLimits
from api_contract.vocabulary import HoldReason, OrderType, Product, SliceStatus
from pulse_core import db, queue
from pulse_core.broker_accounts import directory
from pulse_core.clock import utcnow
from pulse_core.owner import OneAccount
from pulse_core.risk import limits as in_force
from pulse_core.risk import setting
from pulse_core.trading import inbox, prices
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.order import risk
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.pause import resume_order
from pulse_core.trading.order.recheck import recheck_holds
from pulse_core.trading.slice.execute import execute_slice, execute_slices
from pulse_core.trading.slice.limited import LOOKED_AT_AGAIN
from pulse_core.trading.store import alarms, orders
from pulse_core.trading.store.alarms import AlarmFilters
from tests.support.broker import SimulatedBroker
from tests.support.factories import a_new_order, a_slice, a_split_order, an_account, order, slices_of
from tests.support.prices import StatedPrices
from tests.support.statements import statements

RELIANCE = "NSE:RELIANCE"
RACING = int(os.environ.get("RACING", "30"))
NOBODY_WAITS = {"order_type": OrderType.LIMIT, "limit_price": Decimal(100)}


@pytest.fixture
def told() -> StatedPrices:
    return StatedPrices()


@pytest.fixture(autouse=True)
def market(broker: SimulatedBroker, told: StatedPrices, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A broker that tells prices, and no message reaches anybody."""
    broker.quoter = told
    for name in ("wake", "send", "send_soon"):
        monkeypatch.setattr(queue, name, lambda *_args, **_named: None)
    monkeypatch.setattr("pulse_core.brokers.reachable", lambda: [broker])
    assert directory.account_named("paper")
    yield
    in_force.forget()
    prices.forget()


def limited(account_id: str, **limits: Any) -> None:
    setting.set_limits(account_id, RiskLimits(**limits), "terminal", utcnow())


def submit(account_id: str, **changes: Any) -> dict[str, Any] | None:
    """The details of a refusal, None for an order that was accepted."""
    try:
        submit_order(account_id, a_new_order(**changes), utcnow())
    except RiskLimit as refused:
        return refused.details
    return None


@pytest.fixture
def account() -> str:
    return an_account()


def test_an_order_has_so_many_units_and_no_more(account: str) -> None:
    limited(account, order_quantity=100)
    assert submit(account, total_quantity=100) is None
    assert submit(account, total_quantity=101) == {
        "limit": "order_quantity", "most": 100, "accepted": 0, "asked": 101, "left": 100,
    }  # fmt: skip
    assert submit(an_account(), total_quantity=101) is None, "others have no limit"


def test_an_order_is_worth_so_much_at_its_limit_price(account: str) -> None:
    limited(account, order_worth=Decimal("10000.00"))
    assert submit(account, total_quantity=100, **NOBODY_WAITS) is None
    refused = submit(account, total_quantity=100, order_type=OrderType.LIMIT, limit_price=Decimal("100.01"))
    assert refused == {
        "limit": "order_worth", "most": "10000.00", "accepted": "0", "asked": "10001.00", "left": "10000.00",
    }  # fmt: skip


def test_a_market_order_is_worth_what_the_last_price_says(account: str, told: StatedPrices) -> None:
    limited(account, order_worth=Decimal(10_000))
    told.state(RELIANCE, "100")
    assert submit(account, total_quantity=100) is None
    told.state(RELIANCE, "100.05")
    assert (submit(account, total_quantity=100) or {})["asked"] == "10005.00"


def test_a_price_that_nobody_tells_stops_no_order(account: str, told: StatedPrices) -> None:
    limited(account, order_worth=Decimal(1), price_collar_percent=Decimal(1))
    told.is_down = True
    assert submit(account, total_quantity=100) is None
    assert submit(account, order_type=OrderType.LIMIT, limit_price=Decimal(5), total_quantity=2, num_splits=2) == {
        "limit": "order_worth", "most": "1", "accepted": "0", "asked": "10", "left": "1",
    }, "its own price is known"  # fmt: skip


def test_a_day_has_so_many_units_and_what_was_cancelled_is_given_back(account: str) -> None:
    limited(account, day_quantity=250)
    first = submit_order(account, a_new_order(total_quantity=100), utcnow()).order_id
    assert submit(account, total_quantity=150) is None
    assert submit(account, total_quantity=5) == {
        "limit": "day_quantity", "most": 250, "accepted": 250, "asked": 5, "left": 0,
    }  # fmt: skip
    cancel_order(OneAccount(account), first, utcnow(), account)
    assert submit(account, total_quantity=100) is None
    assert submit(account, total_quantity=5) is not None


def test_a_day_is_worth_so_much(account: str, told: StatedPrices) -> None:
    limited(account, day_worth=Decimal(30_000))
    told.state(RELIANCE, "200")
    assert submit(account, total_quantity=100) is None
    assert submit(account, total_quantity=100, **NOBODY_WAITS) is None
    assert submit(account, total_quantity=5, **NOBODY_WAITS) == {
        "limit": "day_worth", "most": "30000", "accepted": "30000", "asked": "500", "left": "0",
    }  # fmt: skip


def test_what_begins_on_another_day_counts_for_that_day(account: str) -> None:
    limited(account, day_quantity=100)
    far = utcnow() + timedelta(days=7)
    assert submit(account, total_quantity=100) is None
    assert submit(account, total_quantity=100, start_at=far) is None
    assert (submit(account, total_quantity=5, start_at=far) or {})["accepted"] == 100
    assert submit(account, total_quantity=100, start_at=far + timedelta(days=1)) is None


def test_a_minute_has_so_many_orders(account: str) -> None:
    limited(account, orders_per_minute=2)
    assert [submit(account), submit(account)] == [None, None]
    assert submit(account) == {"limit": "orders_per_minute", "most": 2, "accepted": 2, "asked": 1, "left": 0}
    later = utcnow() + timedelta(minutes=1, seconds=1)
    assert submit_order(account, a_new_order(), later).is_new


def test_an_account_may_have_its_own_number_of_open_orders(account: str) -> None:
    limited(account, open_orders=1)
    assert submit(account) is None
    assert submit(account) == {"limit": "open_orders", "most": 1, "accepted": 1, "asked": 1, "left": 0}


@pytest.mark.parametrize(("price", "is_taken"), [("110", True), ("110.01", False), ("90", True), ("89.99", False)])
def test_a_limit_price_lies_within_the_collar(account: str, told: StatedPrices, price: str, is_taken: bool) -> None:
    limited(account, price_collar_percent=Decimal(10))
    told.state(RELIANCE, "100")
    refused = submit(account, order_type=OrderType.LIMIT, limit_price=Decimal(price))
    assert (refused is None) is is_taken
    if refused is not None:
        assert (refused["limit"], refused["most"], refused["last_price"]) == ("price_collar_percent", "10", "100")
    assert submit(account) is None, "a market order has no limit price"


def test_only_what_is_allowed_is_traded(account: str) -> None:
    limited(account, instruments=[RELIANCE], products=[Product.MIS])
    assert submit(account, product=Product.MIS) is None
    assert submit(account, product=Product.MIS, instrument="NSE:SBIN") == {"limit": "instruments", "asked": "NSE:SBIN"}
    assert submit(account) == {"limit": "products", "asked": "CNC"}, "the default product is one, too"


def test_an_order_is_so_much_of_a_usual_days_volume_where_that_is_known(account: str, told: StatedPrices) -> None:
    limited(account, volume_share_percent=Decimal(10))
    assert submit(account, total_quantity=1000) is None, "no day before was seen"
    days = [utcnow().date() - timedelta(days=ago) for ago in (2, 3)]
    with db.transaction() as session:
        added = text("INSERT INTO day_volumes VALUES (:name, :day, 500), (:name, :before, 400)")
        session.execute(added, {"name": RELIANCE, "day": days[0], "before": days[1]})
    prices.forget()
    assert submit(account, total_quantity=50) is None
    refused = submit(account, total_quantity=51)
    assert refused == {"limit": "volume_share_percent", "most": "10", "asked": "10.20", "usual_volume": 500}


@pytest.mark.parametrize(
    ("limits", "least"),
    [({"day_quantity": 500}, 5), ({"day_worth": Decimal(50_000)}, 5), ({"orders_per_minute": 5}, 5)],
)
def test_a_race_does_not_pass_a_limit(account: str, limits: dict[str, Any], least: int) -> None:
    limited(account, **limits)
    with ThreadPoolExecutor(20) as threads:
        told = list(threads.map(lambda _: submit(account, total_quantity=100, **NOBODY_WAITS), range(RACING)))
    assert told.count(None) == least
    assert {one["limit"] for one in told if one} == set(limits)


def test_an_order_that_was_accepted_is_found_again_whatever_is_allowed_by_then(account: str) -> None:
    new_order = a_new_order()
    first = submit_order(account, new_order, utcnow())
    limited(account, order_quantity=1, instruments=["NSE:SBIN"], day_quantity=1)
    again = submit_order(account, new_order, utcnow())
    assert (again.order_id, again.is_new) == (first.order_id, False)


def test_limits_cost_no_statement_more(account: str) -> None:
    def made() -> int:
        with statements() as asked:
            assert submit(account, **NOBODY_WAITS) is None
        return len(asked)

    without = made()
    limited(account, order_quantity=10**6, order_worth=Decimal(10**9), day_quantity=10**6, day_worth=Decimal(10**9))
    assert made() == without


def test_broker_accounts_with_real_money_have_limits_and_paper_has_none(
    account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert in_force.of(account, "paper") == RiskLimits()
    paper = directory.accounts_known()["paper"]
    monkeypatch.setattr(directory, "account_named", lambda _name: _live(paper))
    default = in_force.of(account, "zerodha")
    assert (default.order_quantity, default.price_collar_percent) == (100_000, 20)
    limited(account, order_quantity=7)
    mixed = in_force.of(account, "zerodha")
    assert (mixed.order_quantity, mixed.day_quantity) == (7, default.day_quantity)


def _live(account: Any) -> Any:
    return type(account)(**{**vars(account), "is_live": True})


def test_a_change_is_written_down_with_what_held_before(account: str) -> None:
    limited(account, order_quantity=5, instruments=[RELIANCE])
    limited(account, order_quantity=9)
    limited(account, order_quantity=9)
    with db.transaction() as session:
        rows = session.execute(text("SELECT actor, detail FROM audit_entries WHERE action = 'account.limits_changed'"))
        told = [row.detail for row in rows]
    assert told == [
        {"order_quantity": "None -> 5", "instruments": f"None -> {RELIANCE}"},
        {"order_quantity": "5 -> 9", "instruments": f"{RELIANCE} -> None"},
    ]


@pytest.mark.parametrize(
    "limits",
    [
        {"order_quantity": 0},
        {"order_quantity": 10**16},
        {"day_worth": Decimal(0)},
        {"price_collar_percent": Decimal(1001)},
        {"open_orders": 2**31},
        {"instruments": []},
        {"instruments": ["x\x00y"]},
        {"instruments": [f"NSE:A{one}" for one in range(501)]},
        {"products": []},
    ],
)
def test_limits_lie_within_limits(account: str, limits: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        limited(account, **limits)
    assert refused.value.details["field"] == next(iter(limits))
    assert setting.own_of(account) == RiskLimits()


def test_nobody_has_limits_who_is_not_there() -> None:
    with pytest.raises(NotFound):
        limited("acc_01M83H5T3ZC6N2GQ1W9J8X4K7B", order_quantity=1)


# A change of an order.


def test_a_raised_order_is_held_to_the_limits_with_all_it_comes_to(account: str) -> None:
    limited(account, order_quantity=300, day_quantity=500)
    raised = submit_order(account, a_new_order(total_quantity=100), utcnow()).order_id
    assert submit(account, total_quantity=200) is None
    standing = risk.standing_of(account, "paper", RELIANCE, None)

    def change(total_quantity: int) -> None:
        with db.transaction() as session:
            locked = orders.lock(session, raised)
            assert locked is not None
            risk.check_change(session, locked, standing, total_quantity, None, utcnow())

    change(300)
    with pytest.raises(RiskLimit) as refused:
        change(301)
    assert refused.value.details["limit"] == "order_quantity"
    assert submit(account, total_quantity=200) is None
    with pytest.raises(RiskLimit) as refused:
        change(101)
    assert refused.value.details == {"limit": "day_quantity", "most": 500, "accepted": 400, "asked": 101, "left": 100}


# Before each slice.


def a_running_order(account: str, **changes: Any) -> tuple[str, list[str]]:
    order_id = a_split_order(utcnow(), account, **changes)
    return order_id, [one.id for one in slices_of(order_id)]


def test_a_slice_that_would_pass_a_lowered_limit_holds_its_order_until_it_is_raised(
    broker: SimulatedBroker, account: str
) -> None:
    order_id, [first, *_] = a_running_order(account, **NOBODY_WAITS)
    limited(account, day_quantity=19)

    execute_slice(first)

    assert broker.placements == []
    held = order(order_id)
    assert held.hold is HoldReason.LIMIT
    assert held.hold_message == "20 more would pass the account's limit of 19 units a day"
    one = a_slice(first)
    assert (one.status, one.failures, one.error_code) == (SliceStatus.SCHEDULED, 0, "LIMIT")
    with db.transaction() as session:
        [alarm] = alarms.page(session, AlarmFilters(code=AlarmCode.LIMIT_REACHED), 5, None)
        assert alarm.order_id == order_id

    recheck_holds(utcnow() + LOOKED_AT_AGAIN)
    assert order(order_id).hold is HoldReason.LIMIT, "nothing has changed"

    limited(account, day_quantity=20)
    recheck_holds(utcnow() + 3 * LOOKED_AT_AGAIN)
    assert order(order_id).hold is None
    inbox.resolve_alarms(utcnow())
    with db.transaction() as session:
        [alarm] = alarms.page(session, AlarmFilters(code=AlarmCode.LIMIT_REACHED), 5, None)
        assert alarm.status is AlarmStatus.RESOLVED
    execute_slice(first, lambda: utcnow() + timedelta(minutes=59))
    assert [one.quantity for one in broker.placements] == [20]


def test_somebody_may_resume_it_and_is_held_again_where_nothing_has_changed(
    broker: SimulatedBroker, account: str
) -> None:
    order_id, [first, *_] = a_running_order(account)
    limited(account, instruments=["NSE:SBIN"])
    execute_slice(first)
    assert order(order_id).hold is HoldReason.LIMIT

    resume_order(OneAccount(account), order_id, account, utcnow())
    assert order(order_id).hold is None
    execute_slice(first, lambda: utcnow() + timedelta(minutes=59))
    assert order(order_id).hold is HoldReason.LIMIT
    assert broker.placements == []


def test_slices_of_a_batch_pass_no_limit_together(broker: SimulatedBroker, account: str) -> None:
    limited_orders = [a_running_order(account, **NOBODY_WAITS) for _ in range(4)]
    limited(account, day_worth=Decimal(5000))

    execute_slices([slice_ids[0] for _, slice_ids in limited_orders])

    assert [one.quantity for one in broker.placements] == [20, 20]
    assert sorted(bool(order(order_id).hold) for order_id, _ in limited_orders) == [False, False, True, True]


def test_what_works_and_what_was_filled_counts(broker: SimulatedBroker, account: str) -> None:
    first, second = a_running_order(account, **NOBODY_WAITS), a_running_order(account, **NOBODY_WAITS)
    execute_slice(first[1][0])
    limited(account, day_quantity=39)

    execute_slice(second[1][0])

    assert len(broker.placements) == 1
    assert order(second[0]).hold is HoldReason.LIMIT


def test_the_last_price_is_looked_at_again_before_a_slice(
    broker: SimulatedBroker, account: str, told: StatedPrices
) -> None:
    limited(account, price_collar_percent=Decimal(10))
    told.state(RELIANCE, "100")
    order_id, [first, *_] = a_running_order(account, **NOBODY_WAITS)
    told.state(RELIANCE, "80")
    prices.read_prices(utcnow())

    execute_slice(first)

    assert broker.placements == []
    assert order(order_id).hold is HoldReason.LIMIT
    assert a_slice(first).last_price == Decimal(80)

    told.state(RELIANCE, "100")
    prices.read_prices(utcnow())
    recheck_holds(utcnow() + LOOKED_AT_AGAIN)
    assert order(order_id).hold is None
