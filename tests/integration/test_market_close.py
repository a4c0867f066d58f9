"""Auctions and the close on the paper exchange: what is collected trades together, and MIS is squared off."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from kiteconnect import KiteConnect
from kiteconnect.exceptions import InputException

from api_contract.vocabulary import OrderStatus, OrderType, Product, SliceStatus
from pulse_core import brokers, config, db, queue
from pulse_core.broker_accounts import directory
from pulse_core.markets import hours
from pulse_core.trading.alarms import AlarmCode
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.split import split_orders
from pulse_core.trading.recovery import sending_hold
from pulse_core.trading.slice.dispatch import dispatch_due_slices
from pulse_core.trading.slice.execute import execute_slices
from pulse_core.trading.slice.reconcile import reconcile
from pulse_core.trading.slice.track import track_slices
from pulse_core.trading.store import alarms
from pulse_core.trading.store.alarms import AlarmFilters
from pulse_ops.paper_exchange.sessions.auctions import NOT_MATCHED, OUTSIDE_BAND
from tests.support.books import forget_books, read_again_at_once
from tests.support.exchange import ACCESS_TOKEN, API_KEY, RunningExchange, start_exchange
from tests.support.factories import a_new_order, an_account, order, slices_of

INDIA = ZoneInfo("Asia/Kolkata")
MONDAY = datetime(2026, 11, 30, 15, 0, tzinfo=INDIA)
# RELIANCE has derivatives and so a closing auction, WIPRO trades until 15:30.
AUCTIONED, PLAIN = "RELIANCE", "WIPRO"
FUTURE = {"symbol": "NIFTY26DECFUT", "quantity": 65, "product": "NRML"}


def at(clock: str) -> datetime:
    hour, minute = map(int, clock.split(":"))
    return MONDAY.replace(hour=hour, minute=minute)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    with start_exchange(tmp_path_factory.mktemp("close"), more=["--session", "market"]) as running:
        yield running


@pytest.fixture
def exchange(shared: RunningExchange) -> Iterator[RunningExchange]:
    """On a Monday shortly before its close: each test has a week of its own."""
    shared.move_clock(MONDAY)
    shared.end_day()
    yield shared
    shared.set_faults()


@pytest.fixture
def kite(exchange: RunningExchange) -> KiteConnect:
    return KiteConnect(api_key=API_KEY, access_token=ACCESS_TOKEN, root=exchange.url)


def place(kite: KiteConnect, symbol: str, **changes: Any) -> str:
    stated = {"variety": "regular", "exchange": "NSE", "tradingsymbol": symbol, "transaction_type": "BUY"}
    stated |= {"quantity": 10, "product": "MIS", "order_type": "MARKET", "validity": "DAY", "market_protection": -1}
    wanted = {name: value for name, value in {**stated, **changes}.items() if value is not None}
    return str(kite.place_order(**wanted))


def limit(price: float, **changes: Any) -> dict[str, Any]:
    return {"order_type": "LIMIT", "price": price, "market_protection": None, "product": "CNC", **changes}


def row(kite: KiteConnect, order_id: str) -> dict[str, Any]:
    return next(dict(one) for one in kite.orders() if one["order_id"] == order_id)


def price_of(kite: KiteConnect, symbol: str) -> float:
    return float(kite.ltp(f"NSE:{symbol}")[f"NSE:{symbol}"]["last_price"])


def away(price: float, factor: float) -> float:
    return round(price * factor)


def test_what_is_held_of_mis_is_squared_off_by_an_order_of_nobody(exchange: RunningExchange, kite: KiteConnect) -> None:
    bought = place(kite, PLAIN, tag="OURS")
    resting = place(kite, PLAIN, **limit(away(price_of(kite, PLAIN), 0.9), product="MIS"))
    kept = place(kite, PLAIN, product="CNC")

    exchange.move_clock(at("15:19"))
    assert len(kite.orders()) == 3
    exchange.move_clock(at("15:20"))

    *_, reversal = kite.orders()
    assert len(kite.orders()) == 4
    assert (reversal["tag"], reversal["product"], reversal["transaction_type"]) == (None, "MIS", "SELL")
    assert (reversal["status"], reversal["filled_quantity"]) == ("COMPLETE", 10)
    assert [one["status"] for one in kite.order_history(reversal["order_id"])] == [
        "PUT ORDER REQ RECEIVED",
        "VALIDATION PENDING",
        "OPEN PENDING",
        "OPEN",
        "COMPLETE",
    ]
    assert (row(kite, resting)["status"], row(kite, bought)["status"]) == ("CANCELLED", "COMPLETE")
    assert row(kite, kept)["status"] == "COMPLETE"
    left = {one["product"]: one["quantity"] for one in kite.positions()["net"] if one["tradingsymbol"] == PLAIN}
    assert left == {"MIS": 0, "CNC": 10}

    exchange.move_clock(at("15:24"))
    assert len(kite.orders()) == 4


def test_the_closing_auction_collects_and_trades_everything_at_one_price(
    exchange: RunningExchange, kite: KiteConnect
) -> None:
    rested = place(kite, AUCTIONED, **limit(away(price_of(kite, AUCTIONED), 0.9)))
    exchange.move_clock(at("15:21"))
    price = price_of(kite, AUCTIONED)
    market = place(kite, AUCTIONED, product="CNC")
    crossing = place(kite, AUCTIONED, **limit(away(price, 1.02)))
    beside = place(kite, AUCTIONED, **limit(away(price, 0.98)))
    assert {row(kite, one)["status"] for one in (market, crossing, beside)} == {"OPEN"}
    assert row(kite, rested)["status_message"] == OUTSIDE_BAND

    exchange.move_clock(at("15:29"))
    assert {row(kite, one)["filled_quantity"] for one in (market, crossing)} == {0}
    exchange.move_clock(at("15:30"))

    assert {row(kite, one)["status"] for one in (market, crossing)} == {"COMPLETE"}
    assert row(kite, market)["average_price"] == row(kite, crossing)["average_price"]
    assert {row(kite, one)["status"] for one in (beside, rested)} == {"CANCELLED"}
    assert row(kite, beside)["status_message"] == NOT_MATCHED


def test_the_closing_auction_keeps_to_a_band_around_what_was_paid_before_it(
    exchange: RunningExchange, kite: KiteConnect
) -> None:
    paid = row(kite, place(kite, AUCTIONED, product="CNC"))["average_price"]
    low, high = (away(paid, factor) for factor in (0.971, 1.029))
    exchange.move_clock(at("15:21"))
    for price in (away(paid, 0.969), away(paid, 1.031)):
        with pytest.raises(InputException, match="outside the price band of the closing auction"):
            place(kite, AUCTIONED, **limit(price))
    resting = place(kite, AUCTIONED, **limit(low))
    with pytest.raises(InputException, match="outside the price band"):
        kite.modify_order("regular", resting, price=away(paid, 0.9))
    market = place(kite, AUCTIONED, product="CNC")
    exchange.control("PUT", "prices", {f"NSE:{AUCTIONED}": str(away(paid, 1.04))})
    exchange.move_clock(at("15:30"))

    assert high < row(kite, market)["average_price"] <= paid * 1.03
    assert row(kite, resting)["status"] == "CANCELLED"


def test_the_pre_open_collects_trades_together_and_hands_what_is_left_to_the_market(
    exchange: RunningExchange, kite: KiteConnect
) -> None:
    price = price_of(kite, PLAIN)
    exchange.move_clock(at("18:00"))
    overnight = place(kite, PLAIN, variety="amo", product="CNC")
    exchange.move_clock(at("09:06") + timedelta(days=1))
    market, crossing = place(kite, PLAIN), place(kite, AUCTIONED, **limit(away(price_of(kite, AUCTIONED), 1.1)))
    beside = place(kite, PLAIN, **limit(away(price, 0.97)))
    collected = (overnight, market, crossing, beside)
    assert {row(kite, one)["status"] for one in collected} == {"OPEN"}
    assert {row(kite, one)["filled_quantity"] for one in collected} == {0}
    for refused in ({"order_type": "SL", "price": price, "trigger_price": price}, {"exchange": "NFO", **FUTURE}):
        with pytest.raises(InputException, match=r"not allowed in this session|markets are not open"):
            place(kite, **{"symbol": PLAIN, **refused})

    exchange.move_clock(at("09:08") + timedelta(days=1))
    assert {row(kite, one)["status"] for one in (overnight, market, crossing)} == {"COMPLETE"}
    assert row(kite, overnight)["average_price"] == row(kite, market)["average_price"]
    with pytest.raises(InputException, match="markets are not open"):
        place(kite, PLAIN)

    assert row(kite, beside)["status"] == "OPEN"
    exchange.control("PUT", "prices", {f"NSE:{PLAIN}": str(away(price, 0.96))})
    assert row(kite, beside)["status"] == "OPEN"
    exchange.move_clock(at("09:15") + timedelta(days=1))
    assert row(kite, beside)["status"] == "COMPLETE"


def test_a_stock_in_its_auction_is_squared_off_with_it(exchange: RunningExchange, kite: KiteConnect) -> None:
    place(kite, AUCTIONED)
    exchange.move_clock(at("15:20"))
    *_, reversal = kite.orders()
    assert (reversal["status"], reversal["product"]) == ("OPEN", "MIS")
    exchange.move_clock(at("15:30"))

    assert row(kite, reversal["order_id"])["status"] == "COMPLETE"


def test_nothing_trades_while_the_market_is_closed(exchange: RunningExchange, kite: KiteConnect) -> None:
    resting = place(kite, PLAIN, **limit(away(price_of(kite, PLAIN), 0.97)))
    exchange.move_clock(at("15:31"))
    exchange.control("PUT", "prices", {f"NSE:{PLAIN}": str(away(price_of(kite, PLAIN), 0.96))})
    exchange.move_clock(at("15:32"))

    assert row(kite, resting)["status"] == "OPEN"


@pytest.fixture
def trading(exchange: RunningExchange, clean_database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process connected to the exchange by the real adapter, in the hours of the market."""
    adapter = exchange.broker()
    monkeypatch.setattr(brokers, "connect", lambda _account: adapter)
    monkeypatch.setattr(brokers, "reachable", lambda: [adapter])
    forget_books(monkeypatch)
    read_again_at_once(monkeypatch)
    for name in ("wake", "send", "send_soon"):
        monkeypatch.setattr(queue, name, lambda *_args, **_named: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_PAPER_SESSION", "market")
        config.settings.cache_clear()
        hours.forget()
        assert sending_hold.may_send(adapter)
        assert directory.account_named("paper")
        yield
    config.settings.cache_clear()
    hours.forget()


def work(order_id: str, clock: str) -> None:
    """What workers and sweeps do with an order at this time, by both clocks."""
    now = at(clock)
    dispatch_due_slices(now)
    due = [one.id for one in slices_of(order_id) if one.status is SliceStatus.SCHEDULED and one.due_at <= now]
    if due:
        execute_slices(due, lambda: now).check()
    track_slices(now)
    reconcile(now)


@pytest.mark.usefixtures("trading")
def test_what_the_exchange_squares_off_is_no_order_of_ours_and_what_comes_after_is_skipped(
    exchange: RunningExchange, kite: KiteConnect
) -> None:
    changes = {"instrument": f"NSE:{PLAIN}", "total_quantity": 40, "num_splits": 4, "duration_minutes": 14}
    order_id = submit_order(an_account(), a_new_order(product=Product.MIS, **changes), MONDAY).order_id
    split_orders([order_id], MONDAY)
    work(order_id, "15:00")
    exchange.set_faults({"fault": "open_pending", "seconds": 3600})
    exchange.move_clock(at("15:05"))
    work(order_id, "15:05")
    assert [one.status for one in slices_of(order_id)][:2] == [SliceStatus.FILLED, SliceStatus.WORKING]

    for clock in ("15:16", "15:20"):
        exchange.move_clock(at(clock))
        work(order_id, clock)

    first, second, *late = slices_of(order_id)
    assert (first.status, first.filled_quantity) == (SliceStatus.FILLED, 10)
    assert (second.status, second.filled_quantity) == (SliceStatus.CANCELLED, 0)
    assert {one.status for one in late} == {SliceStatus.SKIPPED}
    assert (order(order_id).status, order(order_id).filled_quantity) == (OrderStatus.DONE, 10)
    assert [one["filled_quantity"] for one in kite.orders() if one["tag"] is None] == [10]
    with db.transaction() as session:
        raised = alarms.page(session, AlarmFilters(), 10, None)
        assert {one.code for one in raised} == {AlarmCode.CUT_OFF_PASSED}


@pytest.mark.usefixtures("trading")
def test_the_auction_costs_a_slice_nothing_whose_price_it_does_not_take_and_fills_one_at_the_market(
    exchange: RunningExchange, kite: KiteConnect
) -> None:
    trader = an_account()
    terms = {"instrument": f"NSE:{AUCTIONED}", "total_quantity": 20, "num_splits": 5, "duration_minutes": 4}
    far = Decimal(away(price_of(kite, AUCTIONED), 0.9))
    exchange.move_clock(at("15:20"))
    outside, market = (
        submit_order(trader, a_new_order(**terms, **more), at("15:20")).order_id
        for more in ({"order_type": OrderType.LIMIT, "limit_price": far}, {})
    )
    split_orders([outside, market], at("15:20"))
    for order_id in (outside, market):
        work(order_id, "15:20")

    first = slices_of(outside)[0]
    assert (first.status, first.failures) == (SliceStatus.SCHEDULED, 0)
    assert "price band" in (first.error_message or "")
    assert slices_of(market)[0].status is SliceStatus.WORKING
    exchange.move_clock(at("15:30"))
    work(market, "15:30")
    assert slices_of(market)[0].status is SliceStatus.FILLED
