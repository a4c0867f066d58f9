"""Kite's quotes. https://kite.trade/docs/connect/v3/market-quotes

Nothing hangs on a price as it does on a book: an instrument whose quote cannot be read is one whose price is not known.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pulse_core.brokers.port import Level, Quote, QuotesUnavailable
from pulse_core.brokers.zerodha.rows import count, instant, price


def read(found: object, instruments: Collection[str]) -> Mapping[str, Quote]:
    """The quotes of these instruments, as GET /quote shows them. Raises QuotesUnavailable."""
    if not isinstance(found, dict):
        raise QuotesUnavailable("MALFORMED", "the broker's quotes are not told by instrument")
    quotes = {name: _quote_or_none(found.get(name)) for name in instruments}
    return {name: quote for name, quote in quotes.items() if quote is not None}


def _quote_or_none(row: Any) -> Quote | None:
    try:
        return _quote(row)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _quote(row: Mapping[str, Any]) -> Quote:
    last_price = price(row["last_price"])
    if last_price == 0:
        raise ValueError("nothing was traded")
    depth, at, volume = row.get("depth") or {}, row.get("timestamp"), row.get("volume")
    return Quote(
        last_price=last_price,
        bids=_levels(depth.get("buy") or ()),
        asks=_levels(depth.get("sell") or ()),
        volume=None if volume is None else count(volume),
        at=None if at is None else instant(at),
    )


def _levels(rows: Sequence[Mapping[str, Any]]) -> Sequence[Level]:
    """Kite fills up with zeros where nobody offers."""
    levels = (Level(price(row["price"]), count(row["quantity"])) for row in rows)
    return tuple(one for one in levels if one.price and one.quantity)
