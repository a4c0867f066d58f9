"""A day's book, filled before anything is measured."""

from pathlib import Path

from bench.day_book import fill_day_book
from pulse_ops.paper_exchange.ledger import Ledger


def test_the_book_holds_filled_orders_that_nobody_sent(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"

    fill_day_book(path, 20)

    with Ledger(path) as ledger:
        orders, trades, arrivals = ledger.orders(), ledger.trades(), ledger.arrivals()
    assert [(one.status, one.tag, one.filled_quantity) for one in orders] == [("COMPLETE", None, 10)] * 20
    assert len({one.order_id for one in orders}) == len(trades) == 20
    assert arrivals == []
