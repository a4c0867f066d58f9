"""What stood at an order's arrival and before each slice is kept, and nothing waits for it."""

from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import text

from pulse_core import db, queue
from pulse_core.clock import utcnow
from pulse_core.owner import EveryAccount
from pulse_core.trading import prices
from pulse_core.trading.order.arrivals import LevelReport
from pulse_core.trading.order.queries import order_report, slice_list
from pulse_core.trading.slice.execute import execute_slice
from pulse_core.trading.store.prices import ARRIVING
from tests.support.broker import SimulatedBroker
from tests.support.exchange import start_exchange
from tests.support.factories import a_slice, a_split_order, an_order, slices_of
from tests.support.prices import StatedPrices
from tests.support.processes import wait_until
from tests.support.statements import statements

RELIANCE = "NSE:RELIANCE"


@pytest.fixture(autouse=True)
def told(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> StatedPrices:
    """A broker that tells prices, and no message reaches anybody."""
    broker.quoter = stated = StatedPrices()
    stated.state(RELIANCE, "2850.00", volume=1_000_000)
    for name in ("wake", "send", "send_soon"):
        monkeypatch.setattr(queue, name, lambda *_args, **_named: None)
    monkeypatch.setattr("pulse_core.brokers.reachable", lambda: [broker])
    return stated


def test_what_stood_when_an_order_arrived_is_kept_and_never_changes(told: StatedPrices) -> None:
    order_id = an_order()
    assert order_report(EveryAccount(), order_id).arrival is None

    assert prices.read_prices(utcnow()) == 1

    seen = order_report(EveryAccount(), order_id).arrival
    assert seen is not None
    assert (seen.last_price, seen.bid, seen.ask, seen.volume) == (
        Decimal("2850.00"),
        Decimal("2849.95"),
        Decimal("2850.05"),
        1_000_000,
    )
    assert seen.asks == [LevelReport(Decimal("2850.05"), 200)]

    told.state(RELIANCE, "9")
    prices.read_prices(utcnow())
    assert order_report(EveryAccount(), order_id).arrival == seen


def test_many_orders_cost_one_call(told: StatedPrices) -> None:
    for _ in range(5):
        an_order()
    prices.read_prices(utcnow())
    assert told.calls == 1


def test_an_order_whose_price_nobody_told_in_time_has_no_arrival(told: StatedPrices) -> None:
    told.is_down = True
    order_id = an_order()
    assert prices.read_prices(utcnow()) == 0
    assert prices.read_prices(utcnow() + 2 * ARRIVING) == 0
    assert order_report(EveryAccount(), order_id).arrival is None


def test_a_slice_keeps_the_last_price_before_it_was_sent(broker: SimulatedBroker, told: StatedPrices) -> None:
    order_id = a_split_order(utcnow())
    first, second, *_ = slices_of(order_id)
    prices.read_prices(utcnow())

    execute_slice(first.id)

    assert a_slice(first.id).last_price == Decimal("2850.00")
    shown = {one.slice_id: one for one in slice_list(EveryAccount(), order_id).slices}
    assert shown[first.id].last_price_before == Decimal("2850.00")
    assert shown[second.id].last_price_before is None
    assert told.calls == 1, "no slice asks by itself"


def test_a_price_that_was_read_too_long_ago_is_not_known(broker: SimulatedBroker) -> None:
    order_id = a_split_order(utcnow())
    prices.read_prices(utcnow())
    with db.transaction() as session:
        session.execute(text("UPDATE last_prices SET read_at = read_at - interval '6 seconds'"))
    execute_slice(slices_of(order_id)[0].id)
    assert a_slice(slices_of(order_id)[0].id).last_price is None


def test_a_broker_that_tells_no_prices_costs_no_look(broker: SimulatedBroker) -> None:
    broker.quoter = None
    an_order()
    with statements() as made:
        assert prices.read_prices(utcnow()) == 0
    assert made == []


def test_a_days_volume_is_kept_as_it_grows(told: StatedPrices) -> None:
    an_order()
    prices.read_prices(utcnow())
    told.state(RELIANCE, "2850", volume=1_000_001)
    an_order()
    prices.read_prices(utcnow())
    told.state(RELIANCE, "2850", volume=1_500_000)
    an_order()
    prices.read_prices(utcnow())
    with db.transaction() as session:
        assert session.scalar(text("SELECT volume FROM day_volumes")) == 1_500_000
    assert prices.usual_volume(RELIANCE) is None, "today is no usual day yet"


def test_an_exchange_tells_the_real_adapter(
    tmp_path: Path, clean_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with start_exchange(tmp_path) as exchange:
        adapter = exchange.broker()
        monkeypatch.setattr("pulse_core.brokers.reachable", lambda: [adapter])
        order_id = an_order()

        wait_until(lambda: prices.read_prices(utcnow()) == 1)

        seen = order_report(EveryAccount(), order_id).arrival
        assert seen is not None
        assert seen.bid is not None
        assert seen.ask is not None
        assert seen.bid < seen.last_price < seen.ask
        assert (len(seen.bids), len(seen.asks)) == (5, 5)
        assert seen.quoted_at is not None
