"""Places, cancels, finds and reads orders at Alpaca, or at the paper exchange that speaks the same protocol."""

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from copy import copy
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from time import monotonic
from typing import Any, Self, TypeVar

from api_contract.spans import Kind, span
from api_contract.vocabulary import Product
from pulse_core.brokers.alpaca import account, assets, errors, market_days, money, rows
from pulse_core.brokers.alpaca.allowance import Allowance
from pulse_core.brokers.alpaca.limits import LIMITS
from pulse_core.brokers.instruments import Listing, ListUnavailable
from pulse_core.brokers.market_days import BrokerDay
from pulse_core.brokers.money import Costs, NotTold
from pulse_core.brokers.port import (
    BookUnavailable,
    BrokerError,
    BrokerOrder,
    BrokerTrade,
    CallLimits,
    OutcomeUnknown,
    Placement,
    Refused,
    Scope,
)
from pulse_core.brokers.rate_limit import PerSecondLimiter
from pulse_core.brokers.transport import Call, Session, attempt

T = TypeVar("T")
R = TypeVar("R")
Row = Mapping[str, Any]

ORDERS_OF_A_PAGE = 500
FILLS_OF_A_PAGE = 100
# So many orders or fills are no reading of a book any more.
MOST_PAGES = 200
# One page may take as long as a placement.
PATIENCE = 1.0
# Thousands of assets in one answer, and nobody waits for them.
LIST_PATIENCE = 6.0
# Before the last order of a page: of those that were submitted with it some may stand on the next one.
OVERLAP = timedelta(milliseconds=1)
# Its books show everything; who asks for no instant is shown a day.
EVER = datetime(1970, 1, 1, tzinfo=UTC)
UNASKED = timedelta(days=1)


class AlpacaBroker:
    """An account at Alpaca. See `port.Broker`, `Finder` and `Identity`, `ListsInstruments` and `TellsMarketDays`."""

    # No shorter than the book must be silent elsewhere: nobody says how late a request may still come in.
    certain_after = timedelta(seconds=60)
    # Prices come from another address, by another subscription.
    quoter = None
    market_exchanges = market_days.EXCHANGES

    def __init__(
        self,
        *,
        name: str,
        root: str,
        api_key: str,
        api_secret: str,
        timeout: float = 7.0,
        limits: CallLimits = LIMITS,
    ) -> None:
        self.name = name
        self.limits = limits
        self._root = root.rstrip("/")
        self._timeout = timeout
        self._session = Session()
        self._limiter = PerSecondLimiter(limits.per_second)
        self._allowance = Allowance()
        self._use(api_key, api_secret)

    def with_keys(self, api_key: str, access_token: str, api_secret: str) -> Self:
        """The same account with other keys, on the same connections and under the same limits."""
        other = copy(self)
        other._use(api_key, api_secret)
        return other

    def _use(self, api_key: str, api_secret: str) -> None:
        self._headers = {"APCA-API-KEY-ID": api_key, "APCA-API-SECRET-KEY": api_secret}
        self._secrets = tuple(key for key in (api_key, api_secret) if len(key) >= 8)

    @property
    def finder(self) -> "AlpacaBroker":
        """Client order ids are unique here, for ever."""
        return self

    def wait_for_turn(self, seconds: float) -> None:
        """Wait, `seconds` at most, until this process has sent few enough orders."""
        self._limiter.wait_for_turn(seconds)

    def token_ends_at(self, since: datetime) -> datetime | None:
        """Keys work until somebody revokes them."""
        return None

    def place(self, placement: Placement, not_after: float) -> str:
        """Send one limit or market order, valid for the day, and return its broker order id."""
        if placement.product not in (None, Product.CNC):
            raise Refused("PRODUCT", f"shares are held here, and {placement.product} is another product")
        with span("broker place", Kind.CLIENT):
            row = self._written("POST", "/v2/orders", Call(not_after=not_after), json=_order(placement))
        order_id, client_order_id = row.get("id"), row.get("client_order_id")
        if not isinstance(order_id, str) or not 0 < len(order_id) <= 64:
            raise OutcomeUnknown("NO_ORDER_ID", "the broker's answer names no order")
        if client_order_id != placement.client_order_id:
            raise OutcomeUnknown("ANOTHER_ORDER", "the broker's answer is about another order")
        return order_id

    def cancel(self, broker_order_id: str) -> None:
        """Ask for the cancellation of what is left of an order."""
        with span("broker cancel", Kind.CLIENT):
            self._written("DELETE", f"/v2/orders/{broker_order_id}", Call())

    def covers_since(self, now: datetime) -> datetime:
        """Orders of any day are shown."""
        return EVER

    def find(self, client_order_id: str) -> BrokerOrder | None:
        """The order of this client order id; None for a clear answer that there is none. Raises BookUnavailable."""
        call = Call(patience=PATIENCE)
        row, error = self._answer(
            "GET", "/v2/orders:by_client_order_id", call, params={"client_order_id": client_order_id}
        )
        # A page that is not there is no answer about an order.
        if error is None and call.status == 404 and isinstance(row, dict) and "code" in row:
            return None
        order = _read(rows.broker_order, self._shown(row, error, call, dict))
        if order.client_order_id != client_order_id:
            raise _another(client_order_id)
        return order

    def order(self, broker_order_id: str) -> BrokerOrder:
        """One order by itself. Raises BookUnavailable."""
        row = self._get(f"/v2/orders/{broker_order_id}", dict)
        order = _read(rows.broker_order, row)
        if order.broker_order_id != broker_order_id:
            raise _another(broker_order_id)
        return order

    def order_trades(self, broker_order_id: str) -> Sequence[BrokerTrade]:
        """Every fill of one order. Raises BookUnavailable."""
        found = self._fills({"order_id": broker_order_id})
        trades = _read(lambda found: [rows.broker_trade(row) for row in found], found)
        if any(one.broker_order_id != broker_order_id for one in trades):
            raise _another(broker_order_id)
        return trades

    def order_book(self, since: datetime | None = None) -> Sequence[BrokerOrder]:
        """Every order submitted since an instant, page by page. Raises BookUnavailable."""
        found: dict[str, BrokerOrder] = {}
        after = since or datetime.now(UTC) - UNASKED
        for _ in range(MOST_PAGES):
            terms = {"status": "all", "direction": "asc", "nested": "false"}
            page = self._get("/v2/orders", list, limit=ORDERS_OF_A_PAGE, after=_text(after), **terms)
            shown = _read(rows.book_orders, page)
            is_new = any(one.broker_order_id not in found for one in shown)
            found |= {one.broker_order_id: one for one in shown}
            if len(page) < ORDERS_OF_A_PAGE:
                return list(found.values())
            if not is_new:
                raise BookUnavailable("PAGING", "more orders were submitted in an instant than a page shows")
            after = _read(rows.submitted_at, page[-1]) - OVERLAP
        raise BookUnavailable("PAGING", f"the book has more than {MOST_PAGES} pages")

    def trade_book(self, since: datetime | None = None, ours: Container[str] | None = None) -> Sequence[BrokerTrade]:
        """Every fill since an instant, page by page. Raises BookUnavailable."""
        found = self._fills({"after": _text(since or datetime.now(UTC) - UNASKED)})
        return _read(lambda found: rows.book_trades(found, ours), found)

    def whoami(self) -> str:
        """The number of the account, if its keys work and it may trade. Raises Refused, NotSent, OutcomeUnknown."""
        return account.user_of(self._written("GET", "/v2/account", Call()))

    def instruments(self, exchanges: Collection[str]) -> Listing:
        """Every asset of these exchanges that can be ordered. Raises ListUnavailable."""
        call, terms = Call(patience=LIST_PATIENCE), {"status": "active", "asset_class": "us_equity"}
        shown, error = self._answer("GET", "/v2/assets", call, params=terms)
        if error is not None and call.status in (None, 200) and call.has_left:
            raise ListUnavailable("TRUNCATED", f"the list of assets breaks off ({type(error).__name__})")
        try:
            return assets.read_list(self._shown(shown, error, call, list), exchanges)
        except BookUnavailable as unavailable:
            raise ListUnavailable(unavailable.code, unavailable.message) from None

    def market_days(self, since: date, until: date) -> Sequence[BrokerDay]:
        """The open days of the stock market. Raises BookUnavailable."""
        shown = self._get("/v2/calendar", list, start=since.isoformat(), end=until.isoformat())
        days = _read(market_days.read_days, shown)
        return [one for one in days if since <= one.day <= until]

    def market_time(self) -> datetime:
        """The time by Alpaca's clock. Raises BookUnavailable."""
        return _read(lambda row: rows.instant(row["timestamp"]), self._get("/v2/clock", dict))

    def verify_postback(self, body: bytes, headers: Mapping[str, str]) -> None:
        """It posts nothing: news would come over a socket that nobody here listens to."""

    def costs(self, placements: Sequence[Placement], seconds: float) -> Sequence[Costs]:
        """It says of no order beforehand what it would need or cost."""
        untold = NotTold("NOT_SERVED", "Alpaca does not say beforehand what an order needs or costs")
        return [Costs(untold, untold) for _ in placements]

    def funds(self, seconds: float) -> Decimal:
        """The account's buying power. Raises NotTold."""
        account, _call = self._told("/v2/account", seconds)
        return _understood(lambda: money.buying_power(account))

    def holdings(self, instruments: Sequence[str], seconds: float) -> Mapping[str, int]:
        """How many shares of each the account has. Raises NotTold."""
        ends_at = monotonic() + seconds
        return {one: self._held(one, ends_at - monotonic()) for one in instruments}

    def _held(self, instrument: str, seconds: float) -> int:
        symbol = instrument.partition(":")[2]
        position, call = self._told(f"/v2/positions/{symbol}", seconds, 404)
        return _understood(lambda: money.shares(position, symbol, is_there=call.status == 200))

    def _told(self, path: str, seconds: float, *others: int) -> tuple[object, Call]:
        if seconds <= 0:
            raise NotTold("LATE", "the broker took too long over what was asked before")
        call = Call(patience=seconds / self._timeout)
        try:
            self._allowance.check_reading()
        except BookUnavailable as short:
            raise NotTold(short.code, short.message, Scope.BUDGET) from None
        found, error = self._answer("GET", path, call)
        if error is not None or call.status not in (200, *others):
            failed = self._failure(call, error)
            raise NotTold(failed.code, failed.message, failed.scope)
        return found, call

    def _fills(self, terms: Mapping[str, str]) -> list[Row]:
        found: list[Row] = []
        paging: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            page = self._get(
                "/v2/account/activities/FILL", list, direction="asc", page_size=FILLS_OF_A_PAGE, **terms, **paging
            )
            found += page
            if len(page) < FILLS_OF_A_PAGE:
                return found
            last = _read(rows.activity_id, page[-1])
            if paging.get("page_token") == last:
                raise BookUnavailable("PAGING", "a page of fills was shown twice")
            paging = {"page_token": last}
        raise BookUnavailable("PAGING", f"there are more than {MOST_PAGES} pages of fills")

    def _get(self, path: str, kind: type[T], **params: str | int) -> T:
        self._allowance.check_reading()
        call = Call(patience=PATIENCE)
        shown, error = self._answer("GET", path, call, params=params)
        return self._shown(shown, error, call, kind)

    def _shown(self, shown: object, error: Exception | None, call: Call, kind: type[T]) -> T:
        if error is not None or call.status != 200:
            failed = self._failure(call, error)
            raise BookUnavailable(failed.code, failed.message, failed.scope)
        if not isinstance(shown, kind):
            raise BookUnavailable("MALFORMED", "the broker shows something else than was asked for")
        if isinstance(shown, list) and not all(isinstance(row, dict) for row in shown):
            raise BookUnavailable("MALFORMED", "the broker's book is not a list of rows")
        return shown

    def _written(self, method: str, path: str, call: Call, **content: Any) -> Row:
        row, error = self._answer(method, path, call, **content)
        if call.status == 204:
            return {}
        if error is not None or call.status != 200:
            raise self._failure(call, error) from None
        return row if isinstance(row, dict) else {}

    def _answer(self, method: str, path: str, call: Call, **content: Any) -> tuple[object, Exception | None]:
        def send() -> object:
            answer = self._session.request(
                method, f"{self._root}{path}", headers=self._headers, timeout=self._timeout, **content
            )
            self._allowance.note(answer.headers)
            return answer.json() if answer.content else None

        return attempt(send, call)

    def _failure(self, call: Call, error: Exception | None) -> BrokerError:
        return errors.failure(call, error, self._secrets)


def _understood(read: Callable[[], T]) -> T:
    try:
        return read()
    except (KeyError, TypeError, ValueError, InvalidOperation) as malformed:
        raise NotTold("MALFORMED", f"what the broker says of money is in doubt: {malformed}") from None


def _order(placement: Placement) -> dict[str, str]:
    _exchange, _, symbol = placement.instrument.partition(":")
    return {
        "symbol": symbol,
        "qty": str(placement.quantity),
        "side": placement.side.value.lower(),
        "time_in_force": "day",
        "client_order_id": placement.client_order_id,
        **_pricing(placement.limit_price),
    }


def _pricing(limit_price: Decimal | None) -> dict[str, str]:
    if limit_price is None:
        return {"type": "market"}
    return {"type": "limit", "limit_price": f"{limit_price:f}"}


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _another(asked: str) -> BookUnavailable:
    return BookUnavailable("MALFORMED", f"the broker was asked for {asked} and told of another order")


def _read(parse: Callable[[R], T], found: R) -> T:
    try:
        return parse(found)
    except (KeyError, TypeError, ValueError, InvalidOperation) as malformed:
        raise BookUnavailable("MALFORMED", f"a row of the broker's book is in doubt: {malformed}") from None
