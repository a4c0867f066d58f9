"""Places, cancels and reads orders at Zerodha through the official client."""

from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime, time, timedelta
from decimal import Decimal
from time import monotonic
from typing import Self, TypeVar

from api_contract.imports import stood_in_for
from api_contract.spans import Kind, span
from pulse_core.brokers.instruments import Listing, ListUnavailable
from pulse_core.brokers.money import Costs, NotTold
from pulse_core.brokers.port import (
    BookUnavailable,
    BrokerError,
    BrokerOrder,
    BrokerTrade,
    CallLimits,
    NotSent,
    OutcomeUnknown,
    Placement,
    Quote,
    QuotesUnavailable,
)
from pulse_core.brokers.rate_limit import PerSecondLimiter
from pulse_core.brokers.transport import Call, Session, attempt
from pulse_core.brokers.zerodha import errors, money, postback, quotes, rows
from pulse_core.brokers.zerodha.instruments import read_list
from pulse_core.brokers.zerodha.limits import LIMITS
from pulse_core.brokers.zerodha.rows import OrderRow, Row, TradeRow

# It would load Twisted for a ticker that nobody here listens to.
with stood_in_for("kiteconnect.ticker", "KiteTicker"):
    from kiteconnect import KiteConnect

T = TypeVar("T")
Of = TypeVar("Of", BrokerOrder, BrokerTrade)

# A day's book is long, and no lease ends while it is read: it may take so many times as long as a placement.
BOOK_PATIENCE = 3.0
# Thousands of lines, and nobody waits for them.
LIST_PATIENCE = 6.0
# Nobody waits long for a price.
QUOTE_PATIENCE = 0.3
_CHUNK = 65_536
# About money, of the ten calls a second that are neither orders nor quotes.
QUESTIONS_PER_SECOND = 5
# What an exchange is answered with that the broker does not serve.
_NO_SUCH_EXCHANGE = 400
_OF_ONE_ORDER = 1.0
# https://kite.trade/docs/connect/v3/user/: flushed at 6 AM, as the rules of the exchanges demand.
TOKENS_END = time(6)


class _Client(KiteConnect):  # type: ignore[misc]
    def _format_response(self, data: object) -> object:
        # The client would guess at timestamps and make them naive; `rows` reads the text itself.
        return data


class ZerodhaBroker:
    """A Kite Connect account, or the paper exchange that speaks the same protocol. See `port.Broker`."""

    # https://kite.trade/docs/connect/v3/market-quotes: one call a second, of 500 instruments.
    seconds_between_quotes = 1.05
    most_quotes = 500

    def __init__(
        self,
        *,
        name: str,
        root: str,
        api_key: str,
        access_token: str,
        product: str = "CNC",
        market_protection: float = -1,
        timeout: float = 7.0,
        limits: CallLimits = LIMITS,
        api_secret: str = "",
        algo_id: str = "",
    ) -> None:
        self.name = name
        self.limits = limits
        # A tag is not unique, and cannot be looked up.
        self.finder = None
        self._client = _Client(api_key=api_key, access_token=access_token, root=root, timeout=timeout)
        self._client.reqsession = Session()
        self._product = product
        self._market_protection = f"{market_protection:g}"
        self._limiter = PerSecondLimiter(limits.per_second)
        self._questions = PerSecondLimiter(QUESTIONS_PER_SECOND)
        self._book = rows.BookRows()
        self._api_secret = api_secret
        self._algo_id = algo_id or None
        self._secrets = _to_hide(api_key, access_token, api_secret)

    def with_keys(self, api_key: str, access_token: str, api_secret: str) -> Self:
        """The same account after a login: another token on the same connections, under the same rate limit."""
        other, client = copy(self), self._client
        other._client = _Client(api_key=api_key, access_token=access_token, root=client.root, timeout=client.timeout)
        other._client.reqsession = client.reqsession
        other._api_secret = api_secret
        other._secrets = _to_hide(api_key, access_token, api_secret)
        return other

    @property
    def quoter(self) -> Self:
        """Prices are told."""
        return self

    def wait_for_turn(self, seconds: float) -> None:
        """Wait, `seconds` at most, until this process has sent few enough orders."""
        self._limiter.wait_for_turn(seconds)

    def token_ends_at(self, since: datetime) -> datetime | None:
        """Kite ends every token at about six in the morning in India; a simulated exchange ends none."""
        if self.name != "zerodha":
            return None
        at = datetime.combine(since.astimezone(rows.INDIA).date(), TOKENS_END, rows.INDIA)
        return at if at > since else at + timedelta(days=1)

    def place(self, placement: Placement, not_after: float) -> str:
        """Send one limit or protected market order, valid for the day, and return its broker order id."""
        exchange, _, symbol = placement.instrument.partition(":")

        def send() -> object:
            return self._client.place_order(
                variety="regular",
                exchange=exchange,
                tradingsymbol=symbol,
                transaction_type=placement.side.value,
                quantity=placement.quantity,
                product=placement.product or self._product,
                validity="DAY",
                tag=placement.client_order_id,
                algo_id=self._algo_id,
                **self._pricing(placement),
            )

        with span("broker place", Kind.CLIENT):
            return self._acknowledged(send, Call(not_after=not_after))

    def cancel(self, broker_order_id: str) -> None:
        """Ask for the cancellation of what is left of an order."""
        with span("broker cancel", Kind.CLIENT):
            self._acknowledged(lambda: self._client.cancel_order("regular", broker_order_id), Call())

    def covers_since(self, now: datetime) -> datetime:
        """Kite's books show the day in India, which begins at midnight unless the exchange is simulated."""
        return self.limits.day_began(now)

    def order(self, broker_order_id: str) -> BrokerOrder:
        """The last row of an order's history: Kite has one for each change. Raises BookUnavailable."""
        history = self._rows(OrderRow, lambda: self._client.order_history(broker_order_id), _OF_ONE_ORDER)
        if not history:
            raise BookUnavailable("MALFORMED", f"the history of {broker_order_id} is empty")
        return self._of(broker_order_id, [history[-1]], rows.broker_order)[0]

    def order_trades(self, broker_order_id: str) -> Sequence[BrokerTrade]:
        """Every fill of one order of today. Raises BookUnavailable."""
        trades = self._rows(TradeRow, lambda: self._client.order_trades(broker_order_id), _OF_ONE_ORDER)
        return self._of(broker_order_id, trades, rows.broker_trade)

    def order_book(self, since: datetime | None = None) -> Sequence[BrokerOrder]:
        """Every order of today, whatever `since`. Raises BookUnavailable."""
        return _parsed(self._rows(OrderRow, self._client.orders), self._book.orders)

    def trade_book(self, since: datetime | None = None, ours: Container[str] | None = None) -> Sequence[BrokerTrade]:
        """Every fill of today, whatever `since`. Raises BookUnavailable."""
        return _parsed(self._rows(TradeRow, self._client.trades), lambda found: self._book.trades(found, ours))

    def quote(self, instruments: Collection[str]) -> Mapping[str, Quote]:
        """What these instruments stand at; one that cannot be read is left out. Raises QuotesUnavailable."""
        call = Call(patience=QUOTE_PATIENCE)
        found, error = attempt(lambda: self._client.quote(*instruments), call)
        if error is not None or call.status != 200:
            failure = self._failure(call, error)
            raise QuotesUnavailable(failure.code, failure.message, failure.scope)
        return quotes.read(found, instruments)

    def verify_postback(self, body: bytes, headers: Mapping[str, str]) -> str:
        """The order that a postback is about, whose checksum is in its body."""
        return postback.verified(body, self._api_secret)

    def instruments(self, exchanges: Collection[str]) -> Listing:
        """Every instrument of these exchanges, read while the lists come. Raises ListUnavailable."""
        lists = [self._list(exchange) for exchange in sorted(exchanges)]
        return Listing([one for each in lists for one in each.instruments], sum(each.skipped for each in lists))

    def costs(self, placements: Sequence[Placement], seconds: float) -> Sequence[Costs]:
        """What each of these orders would block and cost. Raises NotTold."""
        asked = [money.question(one, self._product) for one in placements]
        found = self._told(lambda: self._client.order_margins(asked), seconds)
        return _understood(lambda: money.costs(found, placements))

    def funds(self, seconds: float) -> Decimal:
        """What is free for another order. Raises NotTold."""
        found = self._told(lambda: self._client.margins("equity"), seconds)
        return _understood(lambda: money.funds(found))

    def holdings(self, instruments: Sequence[str], seconds: float) -> Mapping[str, int]:
        """How many shares of each can be sold. Raises NotTold."""
        ends_at = monotonic() + seconds
        held = self._told(self._client.holdings, seconds)
        positions = self._told(self._client.positions, ends_at - monotonic())
        return _understood(lambda: money.holdings(held, positions, instruments))

    def _told(self, read: Callable[[], object], seconds: float) -> object:
        call = Call(patience=seconds / self._client.timeout)
        try:
            if seconds <= 0:
                raise NotSent("LATE", "the broker took too long over what was asked before")
            self._questions.wait_for_turn(seconds / 2)
            found, error = attempt(read, call)
        except NotSent as late:
            raise NotTold(late.code, late.message) from None
        if error is not None or call.status != 200:
            failure = self._failure(call, error)
            raise NotTold(failure.code, failure.message, failure.scope)
        return found

    def _list(self, exchange: str) -> Listing:
        call = Call(patience=LIST_PATIENCE, is_streamed=True)
        try:
            with call.watched():
                return read_list(self._chunks(exchange), exchange)
        except ListUnavailable:
            raise
        # As with orders: what was seen on the wire decides, not the class of what was raised.
        except Exception as error:
            if call.status == 200:
                cause = type(error).__name__
                raise ListUnavailable("TRUNCATED", f"the list of {exchange} breaks off ({cause})") from None
            if call.status == _NO_SUCH_EXCHANGE:
                return Listing((), 0)
            failure = self._failure(call, error)
            raise ListUnavailable(failure.code, failure.message) from None

    def _chunks(self, exchange: str) -> Iterator[bytes]:
        client = self._client
        headers = {"X-Kite-Version": "3", "Authorization": f"token {client.api_key}:{client.access_token}"}
        url, session = f"{client.root}/instruments/{exchange}", client.reqsession
        with session.get(url, headers=headers, timeout=client.timeout, stream=True) as answer:
            answer.raise_for_status()
            yield from answer.iter_content(_CHUNK)

    def _pricing(self, placement: Placement) -> dict[str, str]:
        if placement.limit_price is None:
            return {"order_type": "MARKET", "market_protection": self._market_protection}
        return {"order_type": "LIMIT", "price": f"{placement.limit_price:.2f}"}

    def _acknowledged(self, send: Callable[[], object], call: Call) -> str:
        order_id, error = attempt(send, call)
        if error is None and call.status == 200 and isinstance(order_id, str) and order_id.isalnum():
            return order_id
        if error is None and call.status == 200:
            raise OutcomeUnknown("NO_ORDER_ID", "the broker's answer names no order")
        raise self._failure(call, error) from None

    def _of(self, broker_order_id: str, found: Sequence[Row], parse: Callable[[Row], Of]) -> Sequence[Of]:
        parsed = _parsed(found, lambda rows: [parse(row) for row in rows])
        if any(one.broker_order_id != broker_order_id for one in parsed):
            raise BookUnavailable("MALFORMED", f"the broker was asked for {broker_order_id} and told of another order")
        return parsed

    def _rows(self, kind: type[Row], read: Callable[[], object], patience: float = BOOK_PATIENCE) -> Sequence[Row]:
        call = Call(patience=patience, decode=rows.decoder(kind))
        found, error = attempt(read, call)
        if error is not None or call.status != 200:
            failure = self._failure(call, error)
            raise BookUnavailable(failure.code, failure.message, failure.scope)
        try:
            return rows.rows_of(kind, found)
        except ValueError:
            raise BookUnavailable("MALFORMED", "the broker's book is not a list of rows") from None

    def _failure(self, call: Call, error: Exception | None) -> BrokerError:
        return errors.failure(call, error, self._secrets)


def _understood(read: Callable[[], T]) -> T:
    try:
        return read()
    except (KeyError, TypeError, ValueError) as malformed:
        raise NotTold("MALFORMED", f"what the broker says of money is in doubt: {malformed}") from None


def _to_hide(*keys: str) -> tuple[str, ...]:
    return tuple(key for key in keys if len(key) >= 8)


def _parsed(found: Sequence[Row], parse: Callable[[Sequence[Row]], Sequence[T]]) -> Sequence[T]:
    try:
        return parse(found)
    except (TypeError, ValueError) as malformed:
        raise BookUnavailable("MALFORMED", f"a row of the broker's book is in doubt: {malformed}") from None
