"""What the account has: money and shares, plentiful unless a test says how much."""

import sqlite3
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from pulse_ops.paper_exchange.checks import OrderRequest
from pulse_ops.paper_exchange.errors import WireError
from pulse_ops.paper_exchange.instruments.instrument import Instrument
from pulse_ops.paper_exchange.margins.margin import blocked
from pulse_ops.paper_exchange.store import Books
from pulse_ops.paper_exchange.user.positions import Position, positions

# Ten thousand crore rupees, and a million of each share: shown where nothing was set, and never short.
PLENTY_OF_CASH = 10_000 * 10_000_000 * 100
PLENTY_OF_SHARES = 1_000_000

_OPEN = "SELECT * FROM orders WHERE day >= ? AND status NOT IN ('COMPLETE', 'CANCELLED', 'REJECTED') AND order_id <> ?"


class Held(BaseModel):
    """Shares that were there at the beginning, and what one of them cost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quantity: int = Field(ge=0, le=10**12)
    average_price: Decimal = Field(Decimal(0), ge=0, le=10_000_000)


class Has(BaseModel):
    """Cash in rupees, and shares by symbol. None: plenty, and no order is refused for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cash: Decimal | None = Field(None, ge=0, le=10**12)
    holdings: dict[str, Held] | None = None


class Account:
    """Says what is left for another order. Inside a transaction its answer holds until the end of that."""

    def __init__(self, books: Books) -> None:
        self._books = books
        stored = books.note("account")
        self._has = Has.model_validate_json(stored) if stored else Has()

    @property
    def has(self) -> Has:
        return self._has

    @property
    def is_limited(self) -> bool:
        """Whether an order can be refused for what the account has."""
        return self._has.cash is not None or self._has.holdings is not None

    def set(self, has: Has) -> None:
        """Say what there was at the beginning; it survives a restart."""
        self._books.set_note("account", has.model_dump_json())
        self._has = has

    def check(self, order: OrderRequest, instrument: Instrument, last_price: int, instead_of: str | None) -> None:
        """Raise WireError unless the account has what an order needs; `instead_of` is the id of what it replaces."""
        if self._has.holdings is not None and order.product == "CNC" and order.transaction_type == "SELL":
            self._check_holdings(order, instead_of)
        if self._has.cash is not None:
            self._check_cash(blocked(order, instrument, last_price), instead_of)

    def cash(self) -> int:
        """What there was at the beginning, in paise."""
        return PLENTY_OF_CASH if self._has.cash is None else int(self._has.cash * 100)

    def used(self, without: str | None = None) -> int:
        """What positions and open orders take of it, in paise, one order left out."""
        of_positions = sum(one.blocked for one in positions(self._books, None))
        return of_positions + sum(_left_open(row) for row in self._open_orders(without))

    def shares(self, symbol: str, without: str | None = None) -> int:
        """How many shares of the account are free to be sold: not those in open orders, but for the one left out."""
        offered = sum(
            _rest(row)
            for row in self._open_orders(without)
            if (row["tradingsymbol"], row["product"], row["transaction_type"]) == (symbol, "CNC", "SELL")
        )
        return self.held(symbol) - offered

    def held(self, symbol: str) -> int:
        """How many shares of the account there are, those in open orders among them."""
        held = self._has.holdings
        began = PLENTY_OF_SHARES if held is None else held[symbol].quantity if symbol in held else 0
        return began + sum(one.quantity for one in self.delivered(None) if one.symbol == symbol)

    def delivered(self, before: str | None) -> list[Position]:
        """What was bought and sold for delivery, before a day or ever."""
        return [one for one in positions(self._books, before) if one.product == "CNC"]

    def _check_holdings(self, order: OrderRequest, instead_of: str | None) -> None:
        free = max(self.shares(order.tradingsymbol, instead_of), 0)
        if order.quantity > free:
            raise WireError(
                400,
                "HoldingException",
                f"Insufficient holdings. Required quantity is {order.quantity} but available quantity is {free}.",
            )

    def _check_cash(self, needed: int, instead_of: str | None) -> None:
        left = self.cash() - self.used(instead_of)
        if needed > left:
            raise WireError(
                400,
                "MarginException",
                f"Insufficient funds. Required margin is {needed / 100:.2f}"
                f" but available margin is {max(left, 0) / 100:.2f}.",
            )

    def _open_orders(self, without: str | None) -> list[sqlite3.Row]:
        return self._books.rows(_OPEN, self._books.day(self._books.now()), without or "")


def _rest(row: sqlite3.Row) -> int:
    rest: int = row["quantity"] - row["filled_quantity"] - row["cancelled_quantity"]
    return rest


def _left_open(row: sqlite3.Row) -> int:
    blocked_once: int = row["blocked"]
    return blocked_once * _rest(row) // int(row["quantity"])
