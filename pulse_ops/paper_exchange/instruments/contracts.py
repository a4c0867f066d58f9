"""Futures and options of three months for each underlying, as they are listed on a day."""

import calendar
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from pulse_ops.paper_exchange.instruments.instrument import Instrument, made_up_token, paise
from pulse_ops.paper_exchange.sessions.days import trading_day_until

MONTHS = 3
# Options are listed for the nearest of these months.
_MONTHS_OF_OPTIONS = 2
_OPTION_TICK = 5
_COST_OF_A_MONTH = 0.005


def contracts(underlying: Mapping[str, str], day: date) -> Iterator[Instrument]:
    """Every contract of an underlying that has not expired on this day."""
    for number, expiry in enumerate(expiries(day)):
        yield _future(underlying, expiry, number)
        if number < _MONTHS_OF_OPTIONS:
            yield from _options(underlying, expiry, number)


def expiries(day: date) -> list[date]:
    """The next three monthly expiries: the last Tuesday of a month, or the trading day before it."""
    found: list[date] = []
    month = day.replace(day=1)
    while len(found) < MONTHS:
        expiry = _expiry(month)
        if expiry >= day:
            found.append(expiry)
        month = (month + timedelta(days=31)).replace(day=1)
    return found


def _expiry(month: date) -> date:
    last = month.replace(day=calendar.monthrange(month.year, month.month)[1])
    return trading_day_until(last - timedelta(days=(last.weekday() - calendar.TUESDAY) % 7))


def _future(underlying: Mapping[str, str], expiry: date, number: int) -> Instrument:
    price = paise(underlying["price"]) * (1 + _COST_OF_A_MONTH * (number + 1))
    return _contract(underlying, expiry, "FUT", round(price), paise(underlying["future_tick_size"]))


def _options(underlying: Mapping[str, str], expiry: date, number: int) -> Iterator[Instrument]:
    step, ways = int(underlying["strike_step"]), int(underlying["strikes_each_way"])
    at_the_money = round(paise(underlying["price"]) / 100 / step) * step if step else 0
    for strike in (at_the_money + step * way for way in range(-ways, ways + 1) if step):
        for kind in ("CE", "PE"):
            price = _premium(paise(underlying["price"]), strike * 100, kind, number)
            yield _contract(underlying, expiry, kind, price, _OPTION_TICK, strike)


def _premium(spot: int, strike: int, kind: str, number: int) -> int:
    # Rough, and enough for a simulation: what it is worth today, and a hope that fades with the distance.
    inner = max(spot - strike if kind == "CE" else strike - spot, 0)
    hope = spot * 0.012 * (number + 1) - abs(spot - strike) * 0.3
    return inner + max(round(hope), _OPTION_TICK)


def _contract(
    underlying: Mapping[str, str], expiry: date, kind: str, price: int, tick: int, strike: int = 0
) -> Instrument:
    symbol = f"{underlying['name']}{expiry:%y%b}{strike or ''}{kind}".upper()
    return Instrument(
        exchange="NFO",
        tradingsymbol=symbol,
        name=underlying["name"],
        exchange_token=made_up_token(f"NFO:{symbol}"),
        price=max(price // tick * tick, tick),
        tick=tick,
        lot_size=int(underlying["lot_size"]),
        instrument_type=kind,
        segment="NFO-FUT" if kind == "FUT" else "NFO-OPT",
        expiry=expiry,
        strike=strike,
        freeze_quantity=int(underlying["freeze_quantity"]),
    )
