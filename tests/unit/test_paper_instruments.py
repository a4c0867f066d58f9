"""What the paper exchange lists: symbols, lots, ticks, expiries, and Kite's CSV."""

import csv
from datetime import date

import pytest

from pulse_ops.paper_exchange.instruments.contracts import expiries
from pulse_ops.paper_exchange.instruments.dump import COLUMNS, dump
from pulse_ops.paper_exchange.instruments.listing import cash, listed, token_of
from pulse_ops.paper_exchange.market import Market

DAY = date(2026, 11, 27)


def test_every_key_and_every_token_is_one_instrument_in_every_month() -> None:
    for month in range(36):
        found = listed(date(2026 + month // 12, month % 12 + 1, 1)).values()
        assert len({one.instrument_token for one in found}) == len({one.key for one in found}) == len(found)


@pytest.mark.parametrize(
    ("key", "token"),
    [
        ("NSE:INFY", 408065),
        ("NSE:RELIANCE", 738561),
        ("BSE:INFY", 128053508),
        ("NSE:NIFTY 50", 256265),
        ("NSE:M&M", 519937),
        ("NSE:BAJAJ-AUTO", 4267265),
    ],
)
def test_tokens_are_those_of_kite_where_they_are_known(key: str, token: int) -> None:
    assert (token_of(key), listed(DAY)[key].instrument_token) == (token, token)


def test_a_contract_expires_on_the_last_tuesday_of_its_month_or_the_trading_day_before() -> None:
    assert expiries(date(2026, 11, 23)) == [date(2026, 11, 23), date(2026, 12, 29), date(2027, 1, 25)]
    assert expiries(date(2026, 11, 24))[0] == date(2026, 12, 29)


def test_contracts_have_lots_ticks_and_a_freeze_quantity_and_leave_the_list_when_they_expire() -> None:
    future, option = listed(DAY)["NFO:NIFTY26DECFUT"], listed(DAY)["NFO:NIFTY26DEC26000CE"]
    assert (future.lot_size, future.tick, future.freeze_quantity, future.expiry) == (65, 10, 1800, date(2026, 12, 29))
    assert (option.strike, option.instrument_type, option.segment) == (26000, "CE", "NFO-OPT")
    assert future.instrument_token == token_of(future.key)
    assert future.key not in listed(date(2026, 12, 30))


def test_every_price_is_a_multiple_of_its_tick() -> None:
    assert all(one.price % one.tick == 0 for one in listed(DAY).values() if not one.is_index)


def test_a_price_moves_in_ticks_of_its_instrument() -> None:
    market = Market(3)
    assert {market.step("NSE:BAJAJ-AUTO") % 50 for _ in range(50)} == {0}


def test_the_dump_is_kites_csv() -> None:
    lines = list(csv.DictReader(dump(listed(DAY).values(), lambda one: one.price).splitlines()))
    assert tuple(lines[0]) == COLUMNS
    by_key = {f"{line['exchange']}:{line['tradingsymbol']}": line for line in lines}
    assert len(by_key) == len(listed(DAY))
    assert ",".join(by_key["NSE:INFY"].values()) == "408065,1594,INFY,INFOSYS,1550,,0,0.1,1,EQ,NSE,NSE"
    assert by_key["NFO:NIFTY26DECFUT"]["expiry"] == "2026-12-29"
    assert all(cash()[key].tick in (1, 5, 10, 50, 100, 500) for key in by_key if key.startswith("BSE:"))
