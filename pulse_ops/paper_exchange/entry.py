"""What may enter the exchange: a well-formed order against its instrument, the hour and the account."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from pulse_ops.paper_exchange.checks import OrderRequest
from pulse_ops.paper_exchange.errors import WireError, bad_input
from pulse_ops.paper_exchange.instruments.instrument import Instrument
from pulse_ops.paper_exchange.instruments.listing import Listing, listed, underlyings
from pulse_ops.paper_exchange.margins.margin import blocked
from pulse_ops.paper_exchange.market import Market
from pulse_ops.paper_exchange.rules.terms import check_stop, check_terms
from pulse_ops.paper_exchange.sessions.auctions import Auctions
from pulse_ops.paper_exchange.sessions.hours import check_hours, is_in_closing_auction, is_trading, next_opening
from pulse_ops.paper_exchange.store import Books
from pulse_ops.paper_exchange.user.account import Account

_MINUTE_US = 60_000_000
# Of an exchange that is not strict, for what no list has.
_LOOSE_TICK = 5


class Entry:
    """The checks between a form and the book. `has_hours`: only in the hours of the market."""

    def __init__(
        self, books: Books, market: Market, account: Account, *, is_strict: bool = True, has_hours: bool = False
    ) -> None:
        self._books = books
        self._market = market
        self.account = account
        self._is_strict = is_strict
        self.has_hours = has_hours
        self.auctions = Auctions(books, market, self.find)

    def listing(self) -> Listing:
        """What is listed today, by the exchange's day."""
        return listed(self._books.today(self._books.now()))

    def find(self, key: str) -> Instrument | None:
        """The instrument of this key, if it is listed today."""
        return self.listing().get(key)

    def check(self, request: OrderRequest, now: int) -> None:
        """Raise WireError unless the exchange takes an order on these terms now."""
        if not self._is_strict:
            _check_loosely(request)
            return
        instrument = check_terms(request, self.find(request.instrument))
        if self.has_hours:
            check_hours(instrument, underlyings(), request.variety, request.product, request.order_type, now)
            if is_in_closing_auction(instrument, underlyings(), now):
                self.auctions.check_band(instrument, request.price, now)
        if request.is_stop:
            check_stop(request, self._market.price(request.instrument))

    def is_trading(self, key: str, now: int) -> bool:
        """Whether orders of this instrument trade now. Without hours, and what is not listed: always."""
        instrument = self.find(key) if self.has_hours else None
        return instrument is None or is_trading(instrument, underlyings(), now)

    def refusal_for_account(self, request: OrderRequest, instead_of: str | None = None) -> WireError | None:
        """Why the account cannot have this order, if it cannot; `instead_of` is the id of what it replaces."""
        if not self.account.is_limited:
            return None
        instrument = self.find(request.instrument)
        try:
            if instrument is not None:
                self.account.check(request, instrument, self._market.price(request.instrument), instead_of)
        except WireError as refusal:
            return refusal
        return None

    def booking(self, request: OrderRequest, now: int) -> Mapping[str, Any]:
        """What is booked with an order beside its terms: its day, what happens to it by the clock, what it blocks."""
        day, due_at = None, None
        if request.variety == "amo":
            instrument = self.find(request.instrument)
            due_at = next_opening(now, is_derivative=instrument is not None and instrument.is_derivative)
            day = max(self._books.day(due_at), self._books.day(now))
        elif request.validity_ttl:
            due_at = now + request.validity_ttl * _MINUTE_US
        return {"day": day, "due_at": due_at, "blocked": self._blocked(request)}

    def _blocked(self, request: OrderRequest) -> int:
        if not self.account.is_limited:
            return 0
        instrument = self.find(request.instrument)
        return blocked(request, instrument, self._market.price(request.instrument)) if instrument else 0


def first_status(request: OrderRequest) -> str:
    """How a new order stands in the book."""
    if request.variety == "amo":
        return "AMO REQ RECEIVED"
    return "TRIGGER PENDING" if request.is_stop else "OPEN"


def is_in_book(order: sqlite3.Row, day: str) -> bool:
    """Whether an order stands in the book of a day: its own, and of those before it when it goes out later."""
    stands: bool = order["day"] == day or (order["variety"] == "amo" and order["day"] > day)
    return stands


def _check_loosely(request: OrderRequest) -> None:
    for name, price in (("price", request.price), ("trigger_price", request.trigger_price)):
        if price is not None and price % _LOOSE_TICK:
            raise bad_input(f"Invalid `{name}`. It should be a multiple of the tick size.")
