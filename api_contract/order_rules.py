"""What an order may ask for, and what may be said of a slice. Both services check: neither believes the other."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from api_contract.errors import InvalidInstrument, InvalidQuantity, InvalidRequest, InvalidSplitConfig
from api_contract.vocabulary import AtEnd, CatchUp, Leftover, OrderType, Product, SessionRule, Side

UNIQUE_KEY = re.compile(r"[\x20-\x7e]{1,64}")
INSTRUMENT = re.compile(r"(?P<exchange>[A-Z]{1,16}):(?P<symbol>[A-Z0-9&.-]{1,32})")
EXCHANGE = re.compile("[A-Z]{1,16}")
PLAN_TOKEN = re.compile("[A-Za-z0-9+/=]{1,4096}")
BROKER_ACCOUNT = re.compile("[a-z][a-z0-9-]{1,19}")
MAX_QUANTITY = 10**9
MIN_SPLITS, MAX_SPLITS = 2, 100
MIN_MINUTES, MAX_MINUTES = 1, 1440
MIN_TIMEOUT, MAX_TIMEOUT = 1, 3600
MIN_MULTIPLE, MAX_MULTIPLE = 1, 10
MIN_PRICE, MAX_PRICE = Decimal("0.01"), Decimal("10000000")
LONGEST_NOTE = LONGEST_REASON = 200
TICK = Decimal("0.0001")
FARTHEST_START = timedelta(days=30)
# Of what a client wrote, in the details of an error.
LONGEST_SHOWN = 64
# A client's clock may run a little behind ours.
START_TOLERANCE = timedelta(seconds=5)


@dataclass(frozen=True)
class NewOrder:
    """An order as the client stated it. `duration_minutes` is the length of its window; None with `until_close`.

    Without `start_at` the window opens at once; `limit_price` is per share and belongs to a LIMIT order; without
    `product`, `slice_timeout_seconds` or `broker_account` the installation's defaults apply. With a `plan_token` it is
    to have the schedule that a preview showed, and none other. How it catches up is its account's default where it says
    nothing of it.
    """

    order_unique_key: str
    instrument: str
    side: Side
    total_quantity: int
    num_splits: int
    duration_minutes: int | None
    randomize: bool = True
    until_close: bool = False
    order_type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    start_at: datetime | None = None
    session: SessionRule = SessionRule.REFUSE
    product: Product | None = None
    slice_timeout_seconds: int | None = None
    client_note: str | None = None
    broker_account: str | None = None
    catch_up: CatchUp | None = None
    max_slice_multiple: int | None = None
    extend_minutes: int | None = None
    leftover: Leftover | None = None
    at_end: AtEnd | None = None
    plan_token: str | None = None


@dataclass(frozen=True)
class Settlement:
    """In all `filled` shares of one attempt at `price` each on average; or, when `absent`, none but those booked."""

    filled: int | None
    price: Decimal | None
    absent: bool
    reason: str


def check_new_order(new_order: NewOrder, exchanges: Collection[str]) -> None:
    """Raise the first rule that is broken: InvalidRequest or one of its three narrower kinds."""
    _check_unique_key(new_order.order_unique_key)
    _check_instrument(new_order.instrument, exchanges)
    _check_range("num_splits", new_order.num_splits, MIN_SPLITS, MAX_SPLITS)
    _check_length(new_order.duration_minutes, new_order.until_close)
    _check_quantity(new_order.total_quantity, new_order.num_splits)
    _check_limit_price(new_order.order_type, new_order.limit_price)
    _check_timeout(new_order.slice_timeout_seconds)
    check_catching_up(new_order.max_slice_multiple, new_order.extend_minutes)
    check_note(new_order.client_note)
    _check_broker_account(new_order.broker_account)
    _check_plan_token(new_order.plan_token)


def check_start(start_at: datetime | None, now: datetime) -> None:
    """Raise InvalidRequest for a start that is over or too far away. Only a new order is held to it, not a repeat."""
    if start_at is None:
        return
    if start_at < now - START_TOLERANCE:
        raise InvalidRequest("start_at must not lie in the past", {"field": "start_at", "rule": "not in the past"})
    if start_at > now + FARTHEST_START:
        days = FARTHEST_START.days
        raise InvalidRequest(f"start_at must be within {days} days", {"field": "start_at", "max_days": days})


def check_settlement(said: Settlement) -> None:
    """Raise InvalidRequest unless it states one outcome, within the limits."""
    if said.absent == (said.filled is not None):
        raise InvalidRequest("state filled, or absent: one of the two", {"field": "filled", "rule": "filled or absent"})
    if (said.filled is None) != (said.price is None):
        raise InvalidRequest("filled and price belong together", {"field": "price", "rule": "with filled"})
    if said.filled is not None and not 1 <= said.filled <= MAX_QUANTITY:
        raise out_of_range("filled", 1, MAX_QUANTITY)
    if said.price is not None and not _is_price(said.price):
        details = {"field": "price", "min": str(TICK), "max": str(MAX_PRICE), "decimals": 4}
        raise InvalidRequest(f"price must be from {TICK} to {MAX_PRICE} with at most 4 decimals", details)
    _check_reason(said)


def out_of_range(field: str, least: int, most: int) -> InvalidRequest:
    """The refusal of a number that is not from `least` to `most`."""
    return InvalidRequest(f"{field} must be from {least} to {most}", {"field": field, "min": least, "max": most})


def _check_unique_key(key: str) -> None:
    if not UNIQUE_KEY.fullmatch(key):
        rule = "1 to 64 printable ASCII characters"
        raise InvalidRequest(f"order_unique_key must be {rule}", {"field": "order_unique_key", "rule": rule})


def _check_instrument(instrument: str, exchanges: Collection[str]) -> None:
    match = INSTRUMENT.fullmatch(instrument)
    if match is None or match["exchange"] not in exchanges:
        known = sorted(exchanges)
        raise InvalidInstrument(
            f"instrument must be EXCHANGE:SYMBOL with an exchange of {', '.join(known)}"
            " and a symbol of 1 to 32 of A-Z, 0-9, &, . and -",
            {
                "field": "instrument",
                "instrument": instrument[:LONGEST_SHOWN],
                "expected_format": "EXCHANGE:SYMBOL",
                "exchanges": known,
            },
        )


def _check_range(name: str, value: int, least: int, most: int) -> None:
    field = f"split_config.{name}"
    if not least <= value <= most:
        details = {"field": field, name: value, "min": least, "max": most}
        raise InvalidSplitConfig(f"{field} must be from {least} to {most}", details)


def _check_length(minutes: int | None, until_close: bool) -> None:
    if until_close == (minutes is not None):
        rule = "duration_minutes, or until_close: one of the two"
        details = {"field": "split_config.duration_minutes", "rule": rule}
        raise InvalidRequest(f"split_config must state {rule}", details)
    if minutes is not None:
        _check_range("duration_minutes", minutes, MIN_MINUTES, MAX_MINUTES)


def _check_quantity(total_quantity: int, num_splits: int) -> None:
    field = "total_quantity"
    stated = {"field": field, "total_quantity": total_quantity, "num_splits": num_splits}
    if not 1 <= total_quantity <= MAX_QUANTITY:
        details = {**stated, "min": 1, "max": MAX_QUANTITY}
        raise InvalidQuantity(f"{field} must be from 1 to {MAX_QUANTITY}", details)
    check_enough(total_quantity, num_splits)


def check_enough(total_quantity: int, num_splits: int) -> None:
    """Raise InvalidQuantity unless there is a unit for each slice."""
    field = "total_quantity"
    if total_quantity < num_splits:
        details = {"field": field, "total_quantity": total_quantity, "num_splits": num_splits, "min": num_splits}
        raise InvalidQuantity(f"{field} must be at least split_config.num_splits ({num_splits})", details)


def _check_limit_price(order_type: OrderType, limit_price: Decimal | None) -> None:
    field = "limit_price"
    if order_type is OrderType.MARKET:
        if limit_price is not None:
            raise InvalidRequest("limit_price belongs to order_type LIMIT only", {"field": field, "rule": "LIMIT only"})
        return
    if limit_price is None:
        raise InvalidRequest("limit_price is needed for order_type LIMIT", {"field": field, "rule": "required"})
    check_price(limit_price)


def check_price(limit_price: Decimal) -> None:
    """Raise InvalidRequest for a limit price out of its limits, or with too many decimals."""
    field = "limit_price"
    if not MIN_PRICE <= limit_price <= MAX_PRICE or limit_price != round(limit_price, 2):
        details = {"field": field, "min": str(MIN_PRICE), "max": str(MAX_PRICE), "decimals": 2}
        raise InvalidRequest(f"limit_price must be from {MIN_PRICE} to {MAX_PRICE} with at most 2 decimals", details)


def _check_timeout(seconds: int | None) -> None:
    if seconds is not None and not MIN_TIMEOUT <= seconds <= MAX_TIMEOUT:
        details = {"field": "slice_timeout_seconds", "min": MIN_TIMEOUT, "max": MAX_TIMEOUT}
        raise InvalidRequest(f"slice_timeout_seconds must be from {MIN_TIMEOUT} to {MAX_TIMEOUT}", details)


def check_catching_up(max_slice_multiple: int | None, extend_minutes: int | None) -> None:
    """Raise InvalidRequest for what is stated of an order's catching up and lies outside its limits."""
    if max_slice_multiple is not None and not MIN_MULTIPLE <= max_slice_multiple <= MAX_MULTIPLE:
        raise out_of_range("max_slice_multiple", MIN_MULTIPLE, MAX_MULTIPLE)
    if extend_minutes is not None and not 0 <= extend_minutes <= MAX_MINUTES:
        raise out_of_range("extend_minutes", 0, MAX_MINUTES)


def check_note(note: str | None) -> None:
    """Raise InvalidRequest for a note that is too long or not printable."""
    if note is not None and (len(note) > LONGEST_NOTE or not note.isprintable()):
        rule = f"at most {LONGEST_NOTE} printable characters"
        raise InvalidRequest(f"client_note must have {rule}", {"field": "client_note", "rule": rule})


def _is_price(price: Decimal) -> bool:
    return price.is_finite() and TICK <= price <= MAX_PRICE and price == round(price, 4)


def _check_broker_account(name: str | None) -> None:
    if name is not None and not BROKER_ACCOUNT.fullmatch(name):
        rule = "the name of a broker account: 2 to 20 of a-z, 0-9 and -, the first a letter"
        raise InvalidRequest(f"broker_account must be {rule}", {"field": "broker_account", "rule": rule})


def _check_plan_token(token: str | None) -> None:
    if token is not None and not PLAN_TOKEN.fullmatch(token):
        rule = "the plan_token of a preview"
        raise InvalidRequest(f"plan_token must be {rule}", {"field": "plan_token", "rule": rule})


def _check_reason(said: Settlement) -> None:
    rule = f"at most {LONGEST_REASON} printable characters"
    if said.absent and not said.reason.strip():
        raise InvalidRequest("reason is needed with absent", {"field": "reason", "rule": "required"})
    if len(said.reason) > LONGEST_REASON or not said.reason.isprintable():
        raise InvalidRequest(f"reason must have {rule}", {"field": "reason", "rule": rule})
