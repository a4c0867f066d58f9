"""What a process knows of prices: read seldom, many at once, and never waited for long."""

from collections.abc import Collection, Mapping
from decimal import Decimal
from threading import Event
from typing import Any

import pytest

from pulse_core.brokers.port import Level, Quote, QuotesUnavailable
from pulse_core.brokers.quotes import Quotes
from pulse_core.brokers.zerodha import quotes as kite
from tests.support.processes import wait_until

INFY, SBIN = "NSE:INFY", "NSE:SBIN"
LONG = 20.0


class Told:
    """Tells the price 100 of whatever it is asked for, when it may."""

    seconds_between_quotes = 0.0
    most_quotes = 2

    def __init__(self) -> None:
        self.calls: list[set[str]] = []
        self.may_answer = Event()
        self.may_answer.set()
        self.is_down = False

    def quote(self, instruments: Collection[str]) -> Mapping[str, Quote]:
        self.calls.append(set(instruments))
        assert self.may_answer.wait(LONG)
        if self.is_down:
            raise QuotesUnavailable("NETWORK", "nobody answers")
        return {one: Quote(Decimal(100)) for one in instruments if one != "NSE:NOSUCH"}


def test_a_price_is_read_once_and_known_for_a_while() -> None:
    told = Told()
    quotes = Quotes(told)

    assert quotes.known(INFY) is None
    assert quotes.latest([INFY], LONG)[INFY].last_price == 100

    assert quotes.known(INFY, LONG) == Quote(Decimal(100))
    assert told.calls == [{INFY}]


def test_what_the_broker_does_not_know_is_left_out() -> None:
    assert set(Quotes(Told()).latest([INFY, "NSE:NOSUCH"], LONG)) == {INFY}


def test_more_instruments_than_a_call_takes_are_read_in_several() -> None:
    told = Told()

    assert len(Quotes(told).latest([INFY, SBIN, "NSE:TCS"], LONG)) == 3
    assert sorted(map(len, told.calls)) == [1, 2]


def test_those_who_ask_during_a_call_share_the_next_one() -> None:
    told = Told()
    told.may_answer.clear()
    quotes = Quotes(told)
    assert quotes.latest([INFY], 0.0) == {}
    wait_until(lambda: bool(told.calls), LONG, "the first call")
    quotes.ask([SBIN])
    quotes.ask(["NSE:TCS", SBIN, INFY])

    told.may_answer.set()

    assert len(quotes.latest([SBIN, "NSE:TCS"], LONG)) == 2
    assert told.calls == [{INFY}, {SBIN, "NSE:TCS"}]


def test_nobody_waits_for_a_broker_that_could_not_be_read_a_moment_ago() -> None:
    told = Told()
    told.is_down = True
    quotes = Quotes(told)

    assert quotes.latest([INFY], LONG) == {}
    assert quotes.latest([INFY, SBIN], LONG) == {}

    assert told.calls == [{INFY}]


def test_kites_quotes_are_read_with_their_levels() -> None:
    row = {
        "last_price": 1500.05,
        "timestamp": "2026-11-23 10:00:01",
        "volume": 12,
        "depth": {
            "buy": [{"price": 1500, "quantity": 5, "orders": 1}, {"price": 0, "quantity": 0, "orders": 0}],
            "sell": [{"price": 1500.1, "quantity": 7, "orders": 2}],
        },
    }

    quote = kite.read({INFY: row}, [INFY])[INFY]

    assert (quote.last_price, quote.bid, quote.ask) == (Decimal("1500.05"), Decimal(1500), Decimal("1500.1"))
    assert (quote.bids, quote.volume) == ((Level(Decimal(1500), 5),), 12)
    assert quote.at is not None
    assert quote.at.isoformat() == "2026-11-23T04:30:01+00:00"


@pytest.mark.parametrize(
    "row",
    [
        None,
        "text",
        [],
        {},
        {"last_price": None},
        {"last_price": 0},
        {"last_price": "1"},
        {"last_price": -1.0},
        {"last_price": 1, "timestamp": "now"},
        {"last_price": 1, "volume": -1},
        {"last_price": 1, "depth": []} | {"depth": [1]},
        {"last_price": 1, "depth": {"buy": [None]}},
        {"last_price": 1, "depth": {"buy": 7}},
    ],
)
def test_a_quote_that_cannot_be_read_is_not_known(row: Any) -> None:
    good = {"last_price": 1}

    assert set(kite.read({INFY: row, SBIN: good}, [INFY, SBIN])) == {SBIN}


def test_what_is_no_list_of_quotes_says_so() -> None:
    with pytest.raises(QuotesUnavailable):
        kite.read([], [INFY])
