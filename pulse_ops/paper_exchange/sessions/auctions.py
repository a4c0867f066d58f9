"""Auctions collect orders and trade them together: the pre-open of shares, and the closing auction of some."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime, time

from pulse_ops.paper_exchange.clock import INDIA, us_of, utc
from pulse_ops.paper_exchange.errors import bad_input
from pulse_ops.paper_exchange.instruments.instrument import Instrument
from pulse_ops.paper_exchange.instruments.listing import underlyings
from pulse_ops.paper_exchange.market import Market, crosses
from pulse_ops.paper_exchange.matching import instrument_of, rest_of
from pulse_ops.paper_exchange.sessions.hours import AVERAGED_FROM, AVERAGED_UNTIL, PRE_OPEN_MATCHED, has_auction
from pulse_ops.paper_exchange.store import Books

BAND_PERCENT = 3
NOT_MATCHED = "Not matched in the closing auction."
OUTSIDE_BAND = "Not carried into the closing auction: the price is outside its price band."


class Auctions:
    """Works inside the transactions of the exchange. Any quantity trades: all that meets the price of an auction."""

    def __init__(self, books: Books, market: Market, find: Callable[[str], Instrument | None]) -> None:
        self._books = books
        self._market = market
        self._find = find

    def match_pre_open(self, now: int) -> Iterator[str]:
        """Trade all that was collected of a share at one price; what does not meet it waits for the market."""
        ended_at = _today(now, PRE_OPEN_MATCHED)
        for order in self._books.open_orders(now):
            instrument = self._find(instrument_of(order))
            if instrument is None or instrument.is_derivative or order["placed_at"] >= ended_at:
                continue
            if order["status"] == "OPEN" and self._fill(order, self._market.price(instrument.key), now):
                yield order["order_id"]

    def begin_closing(self, now: int) -> Iterator[str]:
        """End what rests from before at a price that the auction does not take."""
        for order in self._books.open_orders(now):
            instrument, limit = self._auctioned(order), order["limit_price"]
            if instrument is None or limit is None:
                continue
            low, high = self.band(instrument, now)
            if not low <= limit <= high:
                self._books.cancel_order(order["order_id"], OUTSIDE_BAND, now)
                yield order["order_id"]

    def match_closing(self, now: int) -> Iterator[str]:
        """Trade all that was collected of a stock at one price of the band, and end what does not meet it."""
        for order in self._books.open_orders(now):
            instrument = self._auctioned(order)
            if instrument is None or order["status"] not in ("OPEN", "TRIGGER PENDING"):
                continue
            low, high = self.band(instrument, now)
            price = min(max(self._market.price(instrument.key), low), high)
            if order["status"] == "TRIGGER PENDING" or not self._fill(order, price, now):
                self._books.cancel_order(order["order_id"], NOT_MATCHED, now)
            yield order["order_id"]

    def check_band(self, instrument: Instrument, price: int | None, now: int) -> None:
        """Raise WireError for a limit that the closing auction does not take."""
        low, high = self.band(instrument, now)
        if price is not None and not low <= price <= high:
            raise bad_input(
                f"Price is outside the price band of the closing auction ({low / 100:.2f} to {high / 100:.2f})."
            )

    def band(self, instrument: Instrument, now: int) -> tuple[int, int]:
        """The lowest and the highest price of today's closing auction, in paise.

        It lies 3 % around the average of what was paid from 15:00 to 15:15, or the last price if nothing was.
        """
        since, until = _today(now, AVERAGED_FROM), _today(now, AVERAGED_UNTIL)
        paid = self._books.average_price(instrument.exchange, instrument.tradingsymbol, since, until)
        middle = self._market.price(instrument.key) if paid is None else paid
        width, tick = middle * BAND_PERCENT // 100, instrument.tick
        return -(-(middle - width) // tick) * tick, (middle + width) // tick * tick

    def _fill(self, order: sqlite3.Row, price: int, now: int) -> bool:
        limit = order["limit_price"]
        if limit is not None and not crosses(order["transaction_type"], limit, price):
            return False
        self._books.add_fill(order["order_id"], rest_of(order), price, now)
        return True

    def _auctioned(self, order: sqlite3.Row) -> Instrument | None:
        found = self._find(instrument_of(order))
        return found if found is not None and has_auction(found, underlyings()) else None


def _today(now: int, at: time) -> int:
    return us_of(datetime.combine(utc(now).astimezone(INDIA).date(), at, INDIA))
