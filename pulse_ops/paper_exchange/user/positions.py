"""What was traded, by instrument and product, as the ledger's trades have it."""

from dataclasses import dataclass

from pulse_ops.paper_exchange.margins.rates import share_blocked
from pulse_ops.paper_exchange.store import Books

_TRADED = """
    SELECT exchange, tradingsymbol, product, side, sum(quantity) AS quantity, sum(value) AS value FROM (
        SELECT exchange, tradingsymbol, product, transaction_type AS side, trades.quantity,
               trades.quantity * trades.price AS value, trades.number
          FROM trades JOIN orders USING (order_id) {}
    ) GROUP BY 1, 2, 3, 4 ORDER BY min(number)
"""
_CARRIED = "UNION ALL SELECT exchange, tradingsymbol, product, side, quantity, value, first_number FROM carried"


@dataclass
class Position:
    """Bought and sold of one instrument with one product; values are paise."""

    exchange: str
    symbol: str
    product: str
    bought: int = 0
    bought_for: int = 0
    sold: int = 0
    sold_for: int = 0

    @property
    def key(self) -> str:
        return f"{self.exchange}:{self.symbol}"

    @property
    def quantity(self) -> int:
        return self.bought - self.sold

    @property
    def average_price(self) -> float:
        """Rupees for a share of what is open, 0 when nothing is."""
        if self.quantity > 0:
            return round(self.bought_for / self.bought / 100, 4)
        return round(self.sold_for / self.sold / 100, 4) if self.quantity < 0 else 0.0

    @property
    def blocked(self) -> int:
        """What it takes of the account's cash, in paise; less than nothing where a sale has brought some."""
        if self.product == "CNC":
            return self.bought_for - self.sold_for
        lost = self.bought_for - self.sold_for if not self.quantity else 0
        return round(abs(self.quantity) * self.average_price * 100 * share_blocked(self.key, self.product)) + lost


def positions(books: Books, before: str | None, since: str | None = None) -> list[Position]:
    """The positions of trades on days before `before`, or of those from `since` on, or of all."""
    where = "WHERE day < ?" if before is not None else "WHERE day >= ?" if since is not None else ""
    where += "" if since is not None else f" {_CARRIED}"
    days = [day for day in (before, since) if day is not None]
    found: dict[tuple[str, str, str], Position] = {}
    for row in books.rows(_TRADED.format(where), *days):
        key = (row["exchange"], row["tradingsymbol"], row["product"])
        position = found.setdefault(key, Position(*key))
        if row["side"] == "BUY":
            position.bought, position.bought_for = row["quantity"], row["value"]
        else:
            position.sold, position.sold_for = row["quantity"], row["value"]
    return list(found.values())
