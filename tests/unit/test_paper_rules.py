"""The paper exchange's checks, limits, prices and chances, without its process."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, time
from pathlib import Path

import pytest
from pydantic import ValidationError

from pulse_ops.paper_exchange.checks import OrderRequest, check
from pulse_ops.paper_exchange.clock import INDIA, trading_day, us_of, utc
from pulse_ops.paper_exchange.entry import Entry
from pulse_ops.paper_exchange.errors import WireError
from pulse_ops.paper_exchange.faults import Faults, Rule, Scenario, Stage
from pulse_ops.paper_exchange.limits import Limits
from pulse_ops.paper_exchange.market import Market, crosses
from pulse_ops.paper_exchange.rules.protection import band_price
from pulse_ops.paper_exchange.sessions.hours import next_opening
from pulse_ops.paper_exchange.store import Books
from pulse_ops.paper_exchange.user.account import Account

FORM: Mapping[str, str] = {
    "exchange": "NSE",
    "tradingsymbol": "M&M",
    "transaction_type": "BUY",
    "quantity": "10",
    "product": "CNC",
    "order_type": "MARKET",
    "validity": "DAY",
    "market_protection": "-1",
    "tag": "ABCDEFGHIJ0123456789",
}


def order(**changes: str) -> OrderRequest:
    return check("regular", {**FORM, **changes})


def struck(rule: Rule, seed: int = 1, arrivals: int = 200) -> list[int]:
    faults = Faults(Scenario(seed=seed, rules=(rule,)))
    return [number for number in range(arrivals) if faults.for_order(number, order())]


@pytest.mark.parametrize(
    "change",
    [
        {"exchange": "NYSE"},
        {"exchange": ""},
        {"tradingsymbol": "not a symbol"},
        {"transaction_type": "HOLD"},
        {"quantity": "0"},
        {"quantity": "-1"},
        {"quantity": "1.5"},
        {"quantity": "ten"},
        {"quantity": "٣"},
        {"product": "CASH"},
        {"order_type": "STOP"},
        {"validity": "GTC"},
        {"market_protection": ""},
        {"market_protection": "0"},
        {"market_protection": "101"},
        {"market_protection": "NaN"},
        {"tag": "A" * 21},
        {"tag": "with-dash"},
        {"order_type": "LIMIT"},
        {"order_type": "LIMIT", "price": "10.005"},
        {"order_type": "SL", "price": "10"},
        {"order_type": "SL-M", "trigger_price": "10", "market_protection": ""},
        {"validity": "TTL"},
        {"validity": "TTL", "validity_ttl": "9999"},
        {"disclosed_quantity": "-1"},
        {"order_type": "LIMIT", "price": "-5"},
    ],
)
def test_an_order_that_kite_would_not_take_is_bad_input(change: dict[str, str]) -> None:
    with pytest.raises(WireError) as raised:
        order(**change)
    assert (raised.value.status, raised.value.error_type) == (400, "InputException")


def test_an_unknown_variety_is_bad_input() -> None:
    with pytest.raises(WireError):
        check("special", FORM)


def test_a_limit_order_keeps_its_price_in_paise() -> None:
    assert order(order_type="LIMIT", price="2850.05").price == 285_005


def test_the_eleventh_order_of_a_calendar_second_is_too_many_and_the_next_second_is_free() -> None:
    limits = Limits(writes_today=0, now=1000.0)
    for _ in range(10):
        limits.take("orders", 1000.9)
    with pytest.raises(WireError) as raised:
        limits.take("orders", 1000.99)
    assert raised.value.status == 429
    limits.take("orders", 1001.0)


def test_the_401st_order_of_a_minute_is_too_many() -> None:
    limits = Limits(writes_today=0, now=0.0)
    for number in range(400):
        limits.take("orders", number / 10)
    with pytest.raises(WireError):
        limits.take("orders", 59.0)
    limits.take("orders", 60.0)


def test_calls_that_are_turned_away_count_in_the_minute_and_the_day() -> None:
    limits = Limits(writes_today=0, now=0.0, most=(1, 3, 9))
    answers = [is_taken(limits, at) for at in (0.0, 0.5, 0.9, 1.0)]
    assert answers == [True, False, False, False]
    assert is_taken(limits, 60.0)


def is_taken(limits: Limits, now: float) -> bool:
    try:
        limits.take("orders", now)
    except WireError:
        return False
    return True


@pytest.mark.parametrize("most", [(1, 9, 9), (9, 1, 9), (9, 9, 1)])
def test_other_limits_may_be_set(most: tuple[int, int, int]) -> None:
    limits = Limits(writes_today=0, now=1000.0, most=most)
    limits.take("orders", 1000.0)
    with pytest.raises(WireError):
        limits.take("orders", 1000.5)


def test_the_days_limit_counts_what_was_placed_before_a_restart() -> None:
    limits = Limits(writes_today=4999, now=1000.0)
    limits.take("orders", 1000.0)
    with pytest.raises(WireError):
        limits.take("orders", 1001.0)


def test_the_same_seed_gives_the_same_prices_on_the_tick_and_near_their_start() -> None:
    walks = [[market.step("NSE:RELIANCE") for _ in range(500)] for market in (Market(7), Market(7), Market(8))]
    assert walks[0] == walks[1] != walks[2]
    assert all(price % 5 == 0 and abs(price - 285_000) <= 14_250 for price in walks[0])


def test_a_walk_goes_on_from_the_last_price() -> None:
    assert Market(7, {"NSE:INFY": 150_000}).price("NSE:INFY") == 150_000


def test_a_buyer_waits_for_a_lower_price_and_a_seller_for_a_higher_one() -> None:
    assert crosses("BUY", 100, 95)
    assert not crosses("BUY", 100, 105)
    assert crosses("SELL", 100, 105)
    assert not crosses("SELL", 100, 95)


def test_the_same_seed_strikes_the_same_arrivals() -> None:
    rule = Rule(fault="ack_lost", probability=0.2)
    assert struck(rule) == struck(rule) != struck(rule, seed=2)
    assert 20 <= len(struck(rule)) <= 60


def test_a_counted_fault_strikes_so_many_orders_and_no_more() -> None:
    assert struck(Rule(fault="ack_lost", count=3)) == [0, 1, 2]


@pytest.mark.parametrize(
    "other", [{"tag": "OTHER"}, {"instrument": "NSE:TCS"}, {"side": "SELL"}, {"quantity": 11}, {"count": 0}]
)
def test_a_fault_for_other_orders_does_not_strike_this_one(other: dict[str, str | int]) -> None:
    assert struck(Rule.model_validate({"fault": "ack_lost", **other})) == []


def test_an_order_suffers_one_fault_of_each_stage() -> None:
    rules = tuple(Rule(fault=name) for name in ("ack_lost", "error_after", "partial_fill", "reject", "book_delay"))
    hits = Faults(Scenario(rules=rules)).for_order(1, order())
    assert {stage: rule.fault for stage, rule in hits.items()} == {
        Stage.ANSWER: "ack_lost",
        Stage.LIFE: "partial_fill",
        Stage.BOOK: "book_delay",
    }


@pytest.mark.parametrize("fault", ["book_down", "book_empty", "book_stale", "book_cut", "book_foreign"])
def test_a_fault_of_readings_strikes_no_order_and_as_many_readings_as_it_says(fault: str) -> None:
    faults = Faults(Scenario(rules=(Rule(fault=fault, count=2),)))
    assert not faults.for_order(1, order())
    assert faults.for_request(Stage.CANCEL) is None
    hits = [faults.for_request(Stage.READ) for _ in range(3)]
    assert [hit.fault if hit else None for hit in hits] == [fault, fault, None]


def test_a_ledger_from_before_stops_and_modifications_is_read_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with closing(Books(path)) as books, books.transaction():
        old = books.add_order(order(order_type="LIMIT", price="2900"), "OPEN", 1, 1, (None, 0.0))
    with closing(sqlite3.connect(path)) as connection:
        for index in ("orders_at_a_limit", "stops", "orders_by_due_time", "after_market_orders"):
            connection.execute(f"DROP INDEX {index}")
        for column in ("variety", "trigger_price", "validity_ttl", "disclosed_quantity", "modifications", "blocked"):
            connection.execute(f"ALTER TABLE orders DROP COLUMN {column}")
        connection.execute("ALTER TABLE orders DROP COLUMN limit_price")
        connection.execute("ALTER TABLE orders DROP COLUMN due_at")
    with closing(Books(path)) as books:
        [resting] = books.resting_orders()
        assert (resting["order_id"], resting["limit_price"], resting["variety"]) == (old, 290_000, "regular")
        with books.transaction():
            books.add_order(order(), "OPEN", 2, 2, (None, 0.0))


def test_an_exchange_that_is_not_strict_takes_any_symbol_and_a_strict_one_does_not(tmp_path: Path) -> None:
    unknown = order(tradingsymbol="NOSUCH", quantity="100001")
    with closing(Books(tmp_path / "ledger.sqlite")) as books:
        loose, strict = (Entry(books, Market(1), Account(books), is_strict=one) for one in (False, True))
        loose.check(unknown, books.now())
        with pytest.raises(WireError, match="does not exist"):
            strict.check(unknown, books.now())


def test_a_market_order_goes_as_far_as_its_protection_and_on_the_tick() -> None:
    assert band_price("BUY", 285_000, "-1", 10) == 286_420
    assert band_price("SELL", 285_000, "1", 10) == 282_150
    assert band_price("BUY", 9_990, "-1", 5) == 10_185


def test_an_after_market_order_goes_out_at_the_next_opening() -> None:
    friday = us_of(datetime(2026, 11, 27, 18, tzinfo=INDIA))
    monday = datetime(2026, 11, 30, 9, tzinfo=INDIA)
    opens = [utc(next_opening(friday, is_derivative=one)).astimezone(INDIA) for one in (False, True)]
    assert opens == [monday, monday.replace(minute=15)]


def test_a_day_follows_the_clock_and_the_days_that_were_ended_early() -> None:
    before, after = (round(datetime(2026, 11, 23, 9, 29, second, tzinfo=UTC).timestamp() * 1e6) for second in (58, 59))
    starts = time(14, 59, 59)
    assert (trading_day(before, starts, 0), trading_day(after, starts, 0)) == ("2026-11-22", "2026-11-23")
    assert trading_day(after, starts, 2) == "2026-11-25"


@pytest.mark.parametrize(
    "rule", [{"fault": "sabotage"}, {"fault": "slow", "second": 1}, {"fault": "slow", "count": -1}]
)
def test_a_scenario_with_a_mistake_is_refused(rule: dict[str, str | int]) -> None:
    with pytest.raises(ValidationError):
        Scenario.model_validate({"rules": [rule]})
