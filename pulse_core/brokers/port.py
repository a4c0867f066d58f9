"""The broker port: what Pulse asks of a broker, and the four ways a placement can end.

A second broker is one more file that implements `Broker` and one more line in `brokers.connect`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from api_contract.vocabulary import Product, Side

# The code of a refusal to take one call more: 429.
RATE_LIMITED = "RATE_LIMITED"
# Those of refusals of an account, whatever its broker calls them: somebody must log in; our address is not among those
# that it may be used from; it may not be used at all.
TOKEN_ENDED = "TOKEN_ENDED"  # noqa: S105
ADDRESS_NOT_REGISTERED = "ADDRESS_NOT_REGISTERED"
ACCOUNT_BLOCKED = "ACCOUNT_BLOCKED"


@dataclass(frozen=True)
class Placement:
    """One order for one slice. `client_order_id` is 20 characters of A-Z and 0-9.

    With a `limit_price` (per share) it is a limit order, otherwise a market order; without a `product` the
    broker's configured one is taken.
    """

    client_order_id: str
    instrument: str
    side: Side
    quantity: int
    limit_price: Decimal | None = None
    product: Product | None = None


class BrokerOrderStatus(StrEnum):
    """A broker's order as far as Pulse cares; every interim state of the broker is OPEN."""

    OPEN = "OPEN"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"


class Scope(StrEnum):
    """Whose fault a refusal is, and so what it spends."""

    ACCOUNT = "ACCOUNT"
    """The broker account: its token has ended, its address is not registered, it is blocked."""
    MARKET = "MARKET"
    """The market: closed, halted, not open yet."""
    FUNDS = "FUNDS"
    """The money of the account: a margin."""
    HOLDINGS = "HOLDINGS"
    """The shares of the account."""
    BUDGET = "BUDGET"
    """How often was asked."""
    PRICE = "PRICE"
    """The price of the moment: a circuit, a band."""
    ORDER = "ORDER"
    """This order, and nothing else."""


@dataclass(frozen=True)
class BrokerOrder:
    """One row of the broker's order book of today, or what it says of the one order when asked for it.

    `refused_for` is whose fault it is that it was REJECTED, where the broker's words tell.
    """

    broker_order_id: str
    client_order_id: str | None
    status: BrokerOrderStatus
    quantity: int
    filled_quantity: int
    average_price: Decimal | None
    message: str | None
    refused_for: Scope | None = None


@dataclass(frozen=True)
class BrokerTrade:
    """One fill. `price` is per share, `traded_at` aware and in UTC."""

    broker_trade_id: str
    broker_order_id: str
    quantity: int
    price: Decimal
    traded_at: datetime


class BrokerError(Exception):
    """A call to the broker that did not succeed; `code` and `message` are fit for a person and hold no secret."""

    def __init__(self, code: str, message: str, scope: Scope = Scope.ORDER) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.scope = scope


class Refused(BrokerError):
    """The broker answered, and the answer was no: nothing was placed, and repeating it will not help."""


class NotSent(BrokerError):
    """Certainly nothing was placed, and it may be tried again: connection refused, name not resolved, 429."""


class OutcomeUnknown(BrokerError):
    """The order may be live: time-out after sending, reset, 5xx, unreadable answer. Never send it again blindly."""


class BookUnavailable(BrokerError):
    """The broker's book, or one order of it, could not be read: it proves nothing, least of all an absence."""


class Broker(Protocol):
    """A broker account. Methods are safe to call from many threads, and none retries by itself."""

    name: str

    def wait_for_turn(self, seconds: float) -> None:
        """Wait, `seconds` at most, until this process has sent few enough orders in the last second.

        Turns are given for all processes together (`trading/admission`). This keeps one that was held up from sending
        what it missed at once. Raises NotSent when there is no room by then.
        """

    def token_ends_at(self, since: datetime) -> datetime | None:
        """The latest instant at which a token that was given out before `since` still works; None when not known."""

    def place(self, placement: Placement, not_after: float) -> str:
        """Send one order and return its broker order id.

        `not_after` is an instant of `boottime()`, checked at the last moment before the request leaves.
        Raises NotSent (also when it is later than `not_after`), Refused or OutcomeUnknown.
        """

    def cancel(self, broker_order_id: str) -> None:
        """Ask for the cancellation of what is left. Success says only that the request was taken.

        Raises Refused, NotSent or OutcomeUnknown; the book alone tells what became of it.
        """

    def book_day(self, at: datetime) -> date:
        """The day whose book holds an order placed at this instant; the books show one day only."""

    def book_day_start(self, at: datetime) -> datetime:
        """The first instant of that day, aware."""

    def order(self, broker_order_id: str) -> BrokerOrder:
        """One order of today, by itself.

        Raises BookUnavailable also when the broker does not show it: only the book of all orders can prove an absence.
        """

    def order_trades(self, broker_order_id: str) -> Sequence[BrokerTrade]:
        """Every fill of one order of today. Raises BookUnavailable as above."""

    def order_book(self) -> Sequence[BrokerOrder]:
        """Every order of today. Raises BookUnavailable."""

    def trade_book(self) -> Sequence[BrokerTrade]:
        """Every fill of today. Raises BookUnavailable."""


@dataclass(frozen=True)
class LoggedIn:
    """What a login gave: the token of a user, and when it ends, if that is known."""

    access_token: str = field(repr=False)
    user: str
    valid_until: datetime | None


class Login(Protocol):
    """How a person logs a broker account in. Only brokers with a page for it have one; none retries by itself."""

    def login_url(self) -> str:
        """The page of the broker on which a person logs in, and which hands out a request token. Holds no secret."""

    def redeem(self, request_token: str, now: datetime) -> LoggedIn:
        """Exchange a request token, which works once and for minutes, for a token given out `now`.

        Raises Refused, NotSent, or OutcomeUnknown: then the request token may be used up, and a new one is needed.
        """

    def whoami(self) -> str:
        """The user whose token is held. Raises Refused where it does not work, NotSent, OutcomeUnknown."""
