"""Routes about the market: prices and instruments."""

from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, request

from pulse_ops.paper_exchange.checks import EXCHANGES
from pulse_ops.paper_exchange.clock import india_text
from pulse_ops.paper_exchange.context import desk, success
from pulse_ops.paper_exchange.errors import bad_input
from pulse_ops.paper_exchange.instruments.dump import dump
from pulse_ops.paper_exchange.instruments.instrument import Instrument
from pulse_ops.paper_exchange.rules.terms import circuit
from pulse_ops.paper_exchange.wire import rupees

quotes = Blueprint("quotes", __name__)

_MOST_QUOTES, _MOST_PRICES = 500, 1000
_DEPTH = 5
# Simulated: so many shares stand at each price of the depth.
_AT_A_PRICE = 1000


@quotes.get("/quote")
def quote() -> Response:
    """All that is known of each instrument asked for."""
    return success({name: _quote(one) for name, one in _asked(_MOST_QUOTES)})


@quotes.get("/quote/ohlc")
def day_prices() -> Response:
    """The day's prices of each instrument asked for."""
    return success({name: _last(one) | {"ohlc": _ohlc(one)} for name, one in _asked(_MOST_PRICES)})


@quotes.get("/quote/ltp")
def last_prices() -> Response:
    """The last price of each instrument asked for."""
    return success({name: _last(one) for name, one in _asked(_MOST_PRICES)})


@quotes.get("/instruments")
@quotes.get("/instruments/<exchange>")
def instruments(exchange: str | None = None) -> Response:
    """What is traded today, everywhere or on one exchange, as CSV."""
    if exchange is not None and exchange not in EXCHANGES:
        raise bad_input("Invalid `exchange`.")
    asked = desk().exchange
    found = [one for one in asked.entry.listing().values() if exchange in (None, one.exchange)]
    return Response(dump(found, lambda one: asked.market.price(one.key)), mimetype="text/csv")


def _asked(most: int) -> Iterator[tuple[str, Instrument]]:
    """The instruments that are known; Kite leaves the others out."""
    names = request.args.getlist("i")
    if not names or len(names) > most:
        raise bad_input("Invalid `i`.")
    listing = desk().exchange.entry.listing()
    by_token = {str(one.instrument_token): one for one in listing.values()} if any(map(str.isdigit, names)) else {}
    for name in names:
        found = listing.get(name) or by_token.get(name)
        if found is not None:
            yield name, found


def _last(one: Instrument) -> dict[str, Any]:
    return {"instrument_token": one.instrument_token, "last_price": rupees(desk().exchange.market.price(one.key))}


def _ohlc(one: Instrument) -> dict[str, Any]:
    low, high = desk().exchange.market.range(one.key)
    return {"open": rupees(one.price), "high": rupees(high), "low": rupees(low), "close": rupees(one.price)}


def _quote(one: Instrument) -> dict[str, Any]:
    exchange = desk().exchange
    price = exchange.market.price(one.key)
    low, high = circuit(one)
    at = india_text(exchange.books.now())
    shown = 0 if one.is_index else _AT_A_PRICE * _DEPTH
    return _last(one) | {
        "timestamp": at,
        "last_trade_time": at,
        "last_quantity": one.lot_size,
        "buy_quantity": shown,
        "sell_quantity": shown,
        "volume": exchange.books.volume(one.exchange, one.tradingsymbol),
        "average_price": rupees(price),
        "oi": 0,
        "oi_day_high": 0,
        "oi_day_low": 0,
        "net_change": rupees(price - one.price),
        "lower_circuit_limit": rupees(low),
        "upper_circuit_limit": rupees(high),
        "ohlc": _ohlc(one),
        "depth": {"buy": _depth(one, price, -one.tick), "sell": _depth(one, price, one.tick)},
    }


def _depth(one: Instrument, price: int, step: int) -> list[dict[str, Any]]:
    if one.is_index:
        return [{"price": 0, "quantity": 0, "orders": 0}] * _DEPTH
    prices = (price + step * place for place in range(1, _DEPTH + 1))
    return [{"price": rupees(max(at, one.tick)), "quantity": _AT_A_PRICE, "orders": 1} for at in prices]
