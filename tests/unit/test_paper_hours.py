"""What Pulse's calendar sends, the paper exchange takes: two lists of the same days, made apart."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

import pytest

from api_contract.vocabulary import OrderType, Product
from pulse_core.markets import files
from pulse_core.markets.calendar import Calendar, Terms
from pulse_ops.paper_exchange.clock import INDIA, us_of
from pulse_ops.paper_exchange.errors import WireError
from pulse_ops.paper_exchange.instruments.listing import listed, underlyings
from pulse_ops.paper_exchange.sessions.days import is_trading_day
from pulse_ops.paper_exchange.sessions.hours import check_hours

SINCE = date(2026, 8, 3)
YEAR = [SINCE + timedelta(days=number) for number in range((date(2026, 12, 31) - SINCE).days + 1)]
FRIDAY = date(2026, 11, 27)
KEYS = {"NSE": "NSE:RELIANCE", "BSE": "BSE:RELIANCE", "NFO": "NFO:NIFTY26DECFUT"}


def calendar(exchange: str) -> Calendar:
    return Calendar(exchange, files.years()[exchange])


def minutes(day: date) -> Iterator[datetime]:
    return (datetime.combine(day, time(0), INDIA) + timedelta(minutes=number) for number in range(24 * 60))


def takes(exchange: str, order_type: OrderType, product: Product, at: datetime) -> bool:
    try:
        check_hours(listed(FRIDAY)[KEYS[exchange]], underlyings(), "regular", product, order_type, us_of(at))
    except WireError:
        return False
    return True


@pytest.mark.parametrize("exchange", ["NSE", "NFO"])
def test_both_know_the_same_days(exchange: str) -> None:
    known = calendar(exchange)
    terms = Terms(OrderType.LIMIT, Product.CNC)
    assert [day for day in YEAR if is_trading_day(day)] == [day for day in YEAR if known.session(day, terms)]


@pytest.mark.parametrize("exchange", ["NSE", "BSE", "NFO"])
@pytest.mark.parametrize("order_type", [OrderType.MARKET, OrderType.LIMIT])
@pytest.mark.parametrize("product", [Product.NRML, Product.MIS])
def test_whenever_pulse_sends_the_exchange_takes(exchange: str, order_type: OrderType, product: Product) -> None:
    stretches = calendar(exchange).session(FRIDAY, Terms(order_type, product))
    sent = [at for at in minutes(FRIDAY) if any(one.holds(at) for one in stretches)]
    assert sent
    assert all(takes(exchange, order_type, product, at) for at in sent)
