"""The end of the market's day: MIS positions are squared off, and the closing auction matches what it has collected."""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime, time

from pulse_ops.paper_exchange.checks import OrderRequest
from pulse_ops.paper_exchange.clock import INDIA, utc
from pulse_ops.paper_exchange.instruments.instrument import Instrument
from pulse_ops.paper_exchange.instruments.listing import underlyings
from pulse_ops.paper_exchange.market import Market, crosses
from pulse_ops.paper_exchange.sessions.days import is_trading_day
from pulse_ops.paper_exchange.sessions.hours import AUCTION_MATCHED, has_auction, mis_ends
from pulse_ops.paper_exchange.store import Books
from pulse_ops.paper_exchange.user.positions import Position, positions

SQUARED_OFF = "Squared off: MIS ends here."
NOT_MATCHED = "Not matched in the closing auction."

_OPEN = (
    "SELECT * FROM orders WHERE day = ? AND variety = 'regular'"
    " AND status NOT IN ('COMPLETE', 'CANCELLED', 'REJECTED') ORDER BY number"
)


class Closing:
    """Does each once a day, when its time has come by the exchange's clock, inside the exchange's transactions."""

    def __init__(self, books: Books, market: Market, find: Callable[[str], Instrument | None]) -> None:
        self._books = books
        self._market = market
        self._find = find

    def tick(self, now: int) -> list[str]:
        """What is due of them; the orders that were touched."""
        moment = utc(now).astimezone(INDIA)
        if not is_trading_day(moment.date()):
            return []
        touched: list[str] = []
        for is_derivative in (False, True):
            if self._is_due(f"squared_off_{is_derivative}", mis_ends(is_derivative=is_derivative), moment):
                touched += self._square_off(now, is_derivative=is_derivative)
        if self._is_due("auction_matched", AUCTION_MATCHED, moment):
            touched += self._match(now)
        return touched

    def _is_due(self, what: str, at: time, moment: datetime) -> bool:
        day = self._books.day(self._books.now())
        if moment.time() < at or self._books.note(what) == day:
            return False
        self._books.set_note(what, day)
        return True

    def _square_off(self, now: int, *, is_derivative: bool) -> Iterator[str]:
        """End what is open of MIS, and sell what is held or buy what is owed: by orders that are nobody's."""
        for order in self._open(now):
            if order["product"] == "MIS" and self._is_derivative(_key(order)) is is_derivative:
                self._end(order, SQUARED_OFF, now)
                yield order["order_id"]
        for one in positions(self._books, None, since=self._books.day(now)):
            if one.product == "MIS" and one.quantity and self._is_derivative(one.key) is is_derivative:
                yield self._reverse(one, now)

    def _reverse(self, position: Position, now: int) -> str:
        request = OrderRequest(
            exchange=position.exchange,
            tradingsymbol=position.symbol,
            transaction_type="SELL" if position.quantity > 0 else "BUY",
            quantity=abs(position.quantity),
            product="MIS",
            order_type="MARKET",
            validity="DAY",
            price=None,
            market_protection="-1",
            tag=None,
        )
        order_id = self._books.add_order(request, "OPEN", at=now, visible_at=now, postback=(None, 0.0))
        # One of a stock in its closing auction is matched with the others there.
        if not self._is_auctioned(position.key):
            self._books.add_fill(order_id, request.quantity, self._market.step(position.key), now)
        return order_id

    def _match(self, now: int) -> Iterator[str]:
        """Trade all that was collected of a stock at one price, and end what does not meet it."""
        for order in self._open(now):
            key = _key(order)
            if not self._is_auctioned(key) or order["status"] not in ("OPEN", "TRIGGER PENDING"):
                continue
            price, limit = self._market.price(key), order["limit_price"]
            is_stop = order["status"] == "TRIGGER PENDING"
            if not is_stop and (limit is None or crosses(order["transaction_type"], limit, price)):
                rest = order["quantity"] - order["filled_quantity"]
                self._books.add_fill(order["order_id"], rest, price, now)
            else:
                self._end(order, NOT_MATCHED, now)
            yield order["order_id"]

    def _open(self, now: int) -> list[sqlite3.Row]:
        return self._books.rows(_OPEN, self._books.day(now))

    def _end(self, order: sqlite3.Row, message: str, now: int) -> None:
        self._books.end_order(order["order_id"], "CANCELLED", message, now)
        self._books.replan_fills_after_cancel(order["order_id"], now)

    def _is_derivative(self, key: str) -> bool:
        found = self._find(key)
        return found is not None and found.is_derivative

    def _is_auctioned(self, key: str) -> bool:
        found = self._find(key)
        return found is not None and has_auction(found, underlyings())


def _key(order: sqlite3.Row) -> str:
    return f"{order['exchange']}:{order['tradingsymbol']}"
