"""Kite's list of instruments: one CSV for an exchange, read while it comes. https://kite.trade/docs/connect/v3/market-quotes

A list that was cut off must not pass for a short one: the header, each line and the last one are looked at. A line that
cannot be read is skipped and counted; too many of them are another format.
"""

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

from api_contract.vocabulary import InstrumentKind, Product
from pulse_core.brokers.instruments import BrokerInstrument, Listing, ListUnavailable

MOST_BYTES = 100_000_000
# Of a hundred lines, so many may be unreadable before the whole list is in doubt.
MOST_SKIPPED_PERCENT = 5
_NEEDED = {
    "instrument_token",
    "tradingsymbol",
    "name",
    "expiry",
    "tick_size",
    "lot_size",
    "instrument_type",
    "segment",
    "exchange",
}
_SYMBOL = re.compile("[A-Z0-9&.-]{1,32}")
_KINDS = {
    "EQ": InstrumentKind.EQUITY,
    "FUT": InstrumentKind.FUTURE,
    "CE": InstrumentKind.CALL,
    "PE": InstrumentKind.PUT,
}
# An index has a price, and cannot be bought.
_INDICES = "INDICES"
_OF_EQUITIES = (Product.CNC, Product.MIS)
_OF_DERIVATIVES = (Product.MIS, Product.NRML)
_LONGEST_NAME = 64


def read_list(chunks: Iterable[bytes], exchange: str) -> Listing:
    """The list of one exchange, from the pieces in which it comes. Raises ListUnavailable."""
    lines = _Lines(chunks)
    rows = csv.reader(lines)
    try:
        columns = _columns(next(rows, []))
        return _read(rows, columns, exchange, lines)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ListUnavailable("MALFORMED", f"the list of {exchange} cannot be read: {error}") from None


class _Lines(Iterator[str]):
    """Text by the line; `is_whole` until a line comes without its end."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.is_whole = True
        self._lines = self._split(chunks)

    def __next__(self) -> str:
        return next(self._lines)

    def _split(self, chunks: Iterable[bytes]) -> Iterator[str]:
        decoder, rest, length = codecs.getincrementaldecoder("utf-8")(), "", 0
        for chunk in chunks:
            length += len(chunk)
            if length > MOST_BYTES:
                raise ListUnavailable("TOO_LONG", f"the list is longer than {MOST_BYTES} bytes")
            *whole, rest = (rest + decoder.decode(chunk)).split("\n")
            yield from (f"{line}\n" for line in whole)
        rest += decoder.decode(b"", final=True)
        if rest:
            self.is_whole = False
            yield rest


def _columns(header: Sequence[str]) -> Sequence[str]:
    if not set(header) >= _NEEDED:
        raise ListUnavailable("MALFORMED", "the list does not begin with the names of its columns")
    return header


def _read(rows: Iterator[list[str]], columns: Sequence[str], exchange: str, lines: _Lines) -> Listing:
    found: dict[str, BrokerInstrument] = {}
    count, skipped, last = 0, 0, {}
    for cells in rows:
        count += 1
        last = dict(zip(columns, cells, strict=False))
        try:
            if len(cells) != len(columns):
                raise ValueError("a line has another number of columns")
            instrument = _instrument(last, exchange)
            if instrument is None:
                continue
            if found.setdefault(instrument.symbol, instrument) is not instrument:
                raise ValueError("a symbol is listed twice")
        except (ValueError, KeyError, InvalidOperation):
            skipped += 1
    # Without an end of its own a last line may be a part of one: its last column tells.
    if not lines.is_whole and last.get("exchange") != exchange:
        raise ListUnavailable("TRUNCATED", f"the list of {exchange} breaks off in line {count + 1}")
    if skipped * 100 > count * MOST_SKIPPED_PERCENT and skipped > 1:
        raise ListUnavailable("MALFORMED", f"{skipped} of {count} lines of the list of {exchange} cannot be read")
    return Listing(list(found.values()), skipped)


def _instrument(row: Mapping[str, str], exchange: str) -> BrokerInstrument | None:
    """One line; None for what nobody can order."""
    if row["exchange"] != exchange:
        raise ValueError("a line is of another exchange")
    if row["segment"] == _INDICES or not _SYMBOL.fullmatch(row["tradingsymbol"]):
        return None
    kind = _KINDS[row["instrument_type"]]
    return BrokerInstrument(
        exchange=exchange,
        symbol=row["tradingsymbol"],
        token=_token(row["instrument_token"]),
        name=row["name"][:_LONGEST_NAME].replace("\0", ""),
        kind=kind,
        lot_size=_lot(row["lot_size"]),
        tick_size=_tick(row["tick_size"]),
        expires_on=date.fromisoformat(row["expiry"]) if row["expiry"] else None,
        products=_OF_EQUITIES if kind is InstrumentKind.EQUITY else _OF_DERIVATIVES,
    )


def _token(text: str) -> str:
    if not re.fullmatch("[0-9]{1,19}", text):
        raise ValueError("a token is not a number")
    return text


def _lot(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 1:
        raise ValueError("a lot is not a number of units")
    return int(text)


def _tick(text: str) -> Decimal:
    tick = Decimal(text)
    if not tick.is_finite() or not 0 < tick <= 1_000_000 or tick != round(tick, 6):
        raise ValueError("a tick is not a price")
    return tick.normalize()
