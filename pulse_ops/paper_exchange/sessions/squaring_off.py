"""MIS ends before the day does: what is open of it is cancelled, and what is held of it is squared off."""

from collections.abc import Callable, Iterator

from pulse_ops.paper_exchange.checks import OrderRequest
from pulse_ops.paper_exchange.instruments.instrument import Instrument
from pulse_ops.paper_exchange.instruments.listing import underlyings
from pulse_ops.paper_exchange.market import Market
from pulse_ops.paper_exchange.matching import instrument_of
from pulse_ops.paper_exchange.sessions.hours import has_auction
from pulse_ops.paper_exchange.store import Books
from pulse_ops.paper_exchange.user.positions import Position, positions

SQUARED_OFF = "Squared off: MIS ends here."


class SquaringOff:
    """Works inside the transactions of the exchange."""

    def __init__(self, books: Books, market: Market, find: Callable[[str], Instrument | None]) -> None:
        self._books = books
        self._market = market
        self._find = find

    def square_off(self, now: int, *, is_derivative: bool) -> Iterator[str]:
        """End what is open of MIS, and sell what is held or buy what is owed: by orders that are nobody's."""
        for order in self._books.open_orders(now):
            if order["product"] == "MIS" and self._is_derivative(instrument_of(order)) is is_derivative:
                self._books.cancel_order(order["order_id"], SQUARED_OFF, now)
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

    def _is_derivative(self, key: str) -> bool:
        found = self._find(key)
        return found is not None and found.is_derivative

    def _is_auctioned(self, key: str) -> bool:
        found = self._find(key)
        return found is not None and has_auction(found, underlyings())
