"""The broker port: what Pulse asks of a broker, and the five ways a placement can end.

Another broker is one more folder with a `Broker`, and one more line in `brokers.ADAPTERS`. `docs/brokers.md` says how.
"""

import re
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable

from api_contract.vocabulary import Product, Side

# The code of a refusal to take one call more: 429.
RATE_LIMITED = "RATE_LIMITED"
ALREADY_THERE = "ALREADY_THERE"
# Those of refusals of an account, whatever its broker calls them: somebody must log in; our address is not among those
# that it may be used from; it may not be used at all.
TOKEN_ENDED = "TOKEN_ENDED"  # noqa: S105
ADDRESS_NOT_REGISTERED = "ADDRESS_NOT_REGISTERED"
ACCOUNT_BLOCKED = "ACCOUNT_BLOCKED"

_OURS = re.compile("[A-Z0-9]{20}")


def looks_ours(client_order_id: object) -> bool:
    """Whether this may be the client order id of an attempt of ours, as far as its looks tell."""
    return isinstance(client_order_id, str) and _OURS.fullmatch(client_order_id) is not None


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
    EXPIRED = "EXPIRED"
    """A day order that ended with its session, without anybody having asked."""
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
    """One row of the broker's order book, or what it says of the one order when asked for it.

    `refused_for` is whose fault it is that it was REJECTED, where the broker's words tell. A row of somebody else that
    cannot be read is there all the same: open and unfilled, and not `is_readable`.
    """

    broker_order_id: str
    client_order_id: str | None
    status: BrokerOrderStatus
    quantity: int
    filled_quantity: int
    average_price: Decimal | None
    message: str | None
    refused_for: Scope | None = None
    is_readable: bool = True


def unreadable_order(broker_order_id: str) -> BrokerOrder:
    """An order of somebody else of which no more is known than that it is there."""
    return BrokerOrder(broker_order_id, None, BrokerOrderStatus.OPEN, 0, 0, None, None, is_readable=False)


@dataclass(frozen=True)
class BrokerTrade:
    """One fill. `price` is per share, `traded_at` aware and in UTC."""

    broker_trade_id: str
    broker_order_id: str
    quantity: int
    price: Decimal
    traded_at: datetime


@dataclass(frozen=True)
class CallLimits:
    """Most calls that write, of one account, in a second, a minute and a day of the broker; 0: no such limit."""

    per_second: int
    per_minute: int = 0
    per_day: int = 0
    time_zone: tzinfo = UTC
    day_starts: time = time(0)

    def day(self, at: datetime) -> date:
        """The day that a call at this instant counts for."""
        since_midnight = timedelta(
            hours=self.day_starts.hour, minutes=self.day_starts.minute, seconds=self.day_starts.second
        )
        return (at.astimezone(self.time_zone).replace(tzinfo=None) - since_midnight).date()

    def day_began(self, at: datetime) -> datetime:
        """The first instant of that day."""
        return datetime.combine(self.day(at), self.day_starts, self.time_zone)

    def day_ends(self, at: datetime) -> datetime:
        """The first instant of the day after."""
        return datetime.combine(self.day(at) + timedelta(days=1), self.day_starts, self.time_zone)


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


class AlreadyThere(BrokerError):
    """The broker says that it has an order of this client order id: which one, if it tells.

    Its answer to an earlier request may have been lost. So the attempt was placed, whatever the book shows: it is
    followed, never failed and never sent again.
    """

    def __init__(self, message: str, broker_order_id: str | None = None) -> None:
        super().__init__(ALREADY_THERE, message)
        self.broker_order_id = broker_order_id


class BookUnavailable(BrokerError):
    """The broker's book, or one order of it, could not be read: it proves nothing, least of all an absence."""


class QuotesUnavailable(BrokerError):
    """Prices could not be read: they are not known, which is all that it says."""


@dataclass(frozen=True)
class Level:
    """What may be traded at one price: that many units in all."""

    price: Decimal
    quantity: int


@dataclass(frozen=True)
class Quote:
    """What an instrument stands at, prices per unit. What the broker does not tell, or nobody offers, is None or empty.

    `bids` and `asks` are up to five levels, the best first; `volume` is what was traded today; `at` is the broker's
    instant, aware and in UTC.
    """

    last_price: Decimal
    bids: Sequence[Level] = ()
    asks: Sequence[Level] = ()
    volume: int | None = None
    at: datetime | None = None

    @property
    def bid(self) -> Decimal | None:
        """The best price that somebody buys at."""
        return self.bids[0].price if self.bids else None

    @property
    def ask(self) -> Decimal | None:
        """The best price that somebody sells at."""
        return self.asks[0].price if self.asks else None


class Quoter(Protocol):
    """What a broker can do that tells prices. Ask through `quotes.of`, which keeps to what it allows."""

    seconds_between_quotes: float
    most_quotes: int
    """So many instruments may be asked for in a call, and so much time must lie between two calls."""

    def quote(self, instruments: Collection[str]) -> Mapping[str, Quote]:
        """What these instruments stand at, without those that the broker does not know. Raises QuotesUnavailable."""


class Finder(Protocol):
    """What a broker can do whose client order ids are unique and can be looked up."""

    certain_after: timedelta
    """So long after it is over a request that was given up cannot enter any more, as far as is known."""

    def find(self, client_order_id: str) -> BrokerOrder | None:
        """The order of this client order id, of whatever day; None: the broker has none now.

        Raises BookUnavailable.
        """


class Broker(Protocol):
    """A broker account. Methods are safe to call from many threads, and none retries by itself."""

    name: str

    @property
    def limits(self) -> CallLimits:
        """How often the account may be called."""

    @property
    def finder(self) -> Finder | None:
        """None where a client order id can only be found by reading the book."""

    @property
    def quoter(self) -> Quoter | None:
        """None where no prices are told."""

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
        Raises NotSent (also when it is later than `not_after`), Refused, AlreadyThere or OutcomeUnknown.
        """

    def cancel(self, broker_order_id: str) -> None:
        """Ask for the cancellation of what is left. Success says only that the request was taken.

        Raises Refused, NotSent or OutcomeUnknown; the book alone tells what became of it.
        """

    def covers_since(self, now: datetime) -> datetime:
        """The first instant of which the books, read at `now`, show what was placed then. It never moves back."""

    def order(self, broker_order_id: str) -> BrokerOrder:
        """One order that the books cover, by itself.

        Raises BookUnavailable also when the broker does not show it: only the book of all orders can prove an absence.
        """

    def order_trades(self, broker_order_id: str) -> Sequence[BrokerTrade]:
        """Every fill of one order that the books cover. Raises BookUnavailable as above."""

    def order_book(self, since: datetime | None = None) -> Sequence[BrokerOrder]:
        """Every order that was placed since an instant, and maybe others; None: what the broker shows unasked.

        One of ours, by the looks of its client order id, that cannot be read makes the whole book unavailable, and so
        does a row that does not say whose it is. Raises BookUnavailable.
        """

    def trade_book(self, since: datetime | None = None, ours: Container[str] | None = None) -> Sequence[BrokerTrade]:
        """Every fill since an instant, and maybe others. Raises BookUnavailable.

        A row that cannot be read is left out if it names an order that is not `ours`; None: each must be readable.
        """

    def verify_postback(self, body: bytes, headers: Mapping[str, str]) -> str | None:
        """The broker order id that a genuine postback is about, a hint to look and no more; None: it posts nothing.

        Raises InvalidRequest for what is no postback of this broker, Forbidden without this account's signature.
        """


def covers(broker: Broker, at: datetime, now: datetime) -> bool:
    """Whether the broker's books, read at `now`, show what was placed at an instant."""
    return at >= broker.covers_since(now)


@dataclass(frozen=True)
class LoggedIn:
    """What a login gave: the token of a user, and when it ends, if that is known."""

    access_token: str = field(repr=False)
    user: str
    valid_until: datetime | None


class Identity(Protocol):
    """An account as its broker knows it, by what is held for it. None retries by itself."""

    def whoami(self) -> str:
        """The user that the token or the keys belong to.

        Raises Refused where they do not work, or the account may not be used; NotSent, OutcomeUnknown.
        """


@runtime_checkable
class Login(Identity, Protocol):
    """How a person logs a broker account in. Only brokers with a page for it have one, others take keys alone."""

    def login_url(self) -> str:
        """The page of the broker on which a person logs in, and which hands out a request token. Holds no secret."""

    def redeem(self, request_token: str, now: datetime) -> LoggedIn:
        """Exchange a request token, which works once and for minutes, for a token given out `now`.

        Raises Refused, NotSent, or OutcomeUnknown: then the request token may be used up, and a new one is needed.
        """
