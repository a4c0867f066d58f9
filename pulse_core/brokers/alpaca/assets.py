"""Alpaca's list of assets: one answer with everything. https://docs.alpaca.markets/reference/get-v2-assets-1

An answer that was cut off is no JSON, so that it cannot pass for a short one. A row that cannot be read is skipped and
counted; too many of them are another format.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from api_contract.vocabulary import InstrumentKind, Product
from pulse_core.brokers.instruments import BrokerInstrument, Listing, ListUnavailable

# Of a hundred rows, so many may be unreadable before the whole list is in doubt.
MOST_SKIPPED_PERCENT = 5
# Rule 612 of the SEC: a price from a dollar on is in whole cents. Below it there are finer ones, which no order needs.
A_CENT = Decimal("0.01")
_SYMBOL = re.compile("[A-Z0-9&.-]{1,32}")
_LONGEST_NAME = 64


def read_list(rows: Sequence[Mapping[str, Any]], exchanges: Collection[str]) -> Listing:
    """What can be ordered of these exchanges. Raises ListUnavailable."""
    found: dict[tuple[str, str], BrokerInstrument] = {}
    skipped = 0
    for row in rows:
        try:
            one = _instrument(row, exchanges)
            if one is not None and found.setdefault((one.exchange, one.symbol), one) is not one:
                raise ValueError("a symbol is listed twice")
        except (KeyError, TypeError, ValueError, InvalidOperation):
            skipped += 1
    if skipped * 100 > len(rows) * MOST_SKIPPED_PERCENT and skipped > 1:
        raise ListUnavailable("MALFORMED", f"{skipped} of {len(rows)} assets cannot be read")
    return Listing(list(found.values()), skipped)


def _instrument(row: Mapping[str, Any], exchanges: Collection[str]) -> BrokerInstrument | None:
    """One row; None for what nobody can order here. Whole shares are ordered, whether or not parts of them may be."""
    symbol, exchange = _text(row["symbol"]), _text(row["exchange"])
    is_orderable = row["class"] == "us_equity" and row["status"] == "active" and _is_true(row["tradable"])
    if not is_orderable or exchange not in exchanges or not _SYMBOL.fullmatch(symbol):
        return None
    return BrokerInstrument(
        exchange=exchange,
        symbol=symbol,
        token=UUID(_text(row["id"])).hex,
        name=str(row.get("name") or "")[:_LONGEST_NAME].replace("\0", ""),
        kind=InstrumentKind.EQUITY,
        lot_size=_lot(row),
        tick_size=_tick(row),
        expires_on=None,
        products=(Product.CNC,),
    )


def _lot(row: Mapping[str, Any]) -> int:
    """The fewest shares that are whole and whole increments, too; the fields are filled for some assets only."""
    increment = _number(row.get("min_trade_increment"), Decimal(1))
    least = _number(row.get("min_order_size"), Decimal(1))
    lot = max(increment, Decimal(1))
    if lot % 1 or lot % increment or least > lot:
        raise ValueError("an asset cannot be ordered in whole shares of one lot")
    return int(lot)


def _tick(row: Mapping[str, Any]) -> Decimal:
    tick = max(_number(row.get("price_increment"), A_CENT), A_CENT)
    if tick % A_CENT:
        raise ValueError("prices of an asset are not in whole cents")
    return tick.normalize()


def _number(given: object, unstated: Decimal) -> Decimal:
    if given is None:
        return unstated
    number = Decimal(str(given))
    if not number.is_finite() or not 0 < number <= 1_000_000:
        raise ValueError("an increment is not a number")
    return number


def _is_true(given: object) -> bool:
    if not isinstance(given, bool):
        raise ValueError("it is not said whether an asset is traded")
    return given


def _text(given: object) -> str:
    if not isinstance(given, str):
        raise ValueError("a text is missing")
    return given
