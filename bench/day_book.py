"""A day's book: orders that the exchange took and filled before anything is measured."""

from contextlib import closing
from pathlib import Path

from pulse_ops.paper_exchange.checks import OrderRequest
from pulse_ops.paper_exchange.clock import now_us
from pulse_ops.paper_exchange.store import Books

_QUANTITY, _PRICE = 10, 285_000
# Without a tag: somebody placed them by hand at the broker's own terminal.
_BY_HAND = OrderRequest("NSE", "RELIANCE", "BUY", _QUANTITY, "CNC", "MARKET", "DAY", None, "-1", None)


def fill_day_book(ledger: Path, rows: int) -> None:
    """Give the ledger of an exchange that does not run so many filled orders of today."""
    with closing(Books(ledger)) as books, books.transaction():
        for _ in range(rows):
            at = now_us()
            order_id = books.add_order(_BY_HAND, "OPEN", at, at, (None, 0.0))
            books.add_fill(order_id, _QUANTITY, _PRICE, at)
