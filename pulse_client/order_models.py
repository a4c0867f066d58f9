"""What the public API answers about orders, their slices and their trades."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from pulse_client.reading import Answer
from pulse_client.vocabulary import (
    FINAL_ORDERS,
    FINAL_SLICES,
    AtEnd,
    CatchUp,
    HoldReason,
    Leftover,
    NotFittingReason,
    OrderResult,
    OrderStatus,
    OrderType,
    Product,
    SessionRule,
    Side,
    SliceStatus,
)


class Placed(Answer):
    """An accepted order; `replayed` when an earlier call with the same key had made it."""

    order_id: str
    order_unique_key: str
    replayed: bool = False


class SplitConfig(Answer):
    num_splits: int
    duration_minutes: int
    randomize: bool
    until_close: bool


class Exposure(Answer):
    filled: int
    working: int
    on_its_way: int
    unknown: int
    unsent: int


class Held(Answer):
    """Why nothing of an order is sent for now, what the broker or who halted it said, and what ends that."""

    reason: HoldReason
    since: datetime
    message: str | None
    ended_by: str
    halt_id: str | None = None


class Level(Answer):
    price: Decimal
    quantity: int


class Arrival(Answer):
    """What its instrument stood at just after an order was accepted; `bids` and `asks` best first, five at most."""

    taken_at: datetime
    quoted_at: datetime | None
    last_price: Decimal
    bid: Decimal | None
    ask: Decimal | None
    volume: int | None
    bids: list[Level]
    asks: list[Level]


class NotFitting(Answer):
    """What an order has given up so far, in units, and why the last of it."""

    quantity: int
    reason: NotFittingReason


class Late(Answer):
    """How long after their planned times slices were sent, in milliseconds; None where none was sent.

    `last` is of the one that was sent last; 95 of 100 were sent within `p95`.
    """

    last: int | None
    p95: int | None
    worst: int | None


class Order(Answer):
    """A parent order; `slices` counts its slices by status.

    `planned_quantity` is what its schedule was to have filled when the server answered; `late_ms`, how late slices were
    sent. Both are None of a server that does not tell them yet, the first also once the slices are archived.
    """

    order_id: str
    order_unique_key: str
    account_id: str
    instrument: str
    side: Side
    total_quantity: int
    split_config: SplitConfig
    broker_account: str
    order_type: OrderType
    limit_price: Decimal | None
    start_at: datetime
    end_at: datetime
    session: SessionRule
    product: Product | None
    slice_timeout_seconds: int | None
    client_note: str | None
    status: OrderStatus
    result: OrderResult | None
    skip_reason: str | None
    filled_quantity: int
    leaves_quantity: int
    average_price: Decimal | None
    exposure: Exposure
    slices: Mapping[SliceStatus, int]
    next_slice_at: datetime | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    currency: str | None = None
    held: Held | None = None
    arrival: Arrival | None = None
    catch_up: CatchUp | None = None
    max_slice_multiple: int | None = None
    extend_minutes: int | None = None
    leftover: Leftover | None = None
    at_end: AtEnd | None = None
    not_fitting: NotFitting | None = None
    planned_quantity: int | None = None
    late_ms: Late | None = None
    account_name: str | None = None
    archived_at: datetime | None = None

    @property
    def is_final(self) -> bool:
        return self.status in FINAL_ORDERS

    @property
    def is_filled(self) -> bool:
        return self.result is OrderResult.FILLED

    @property
    def finished_slices(self) -> int:
        return sum(count for status, count in self.slices.items() if status in FINAL_SLICES)


class OrderSnapshot(Order):
    """An order, and the last event of it that it shows: those after it are news."""

    last_event_id: int


class OrderPage(Answer):
    """Orders, newest first; `next_cursor` is None on the last page.

    `last_event_id` is the account's last event that they show, None for orders of several accounts.
    """

    orders: list[Order]
    next_cursor: str | None
    last_event_id: int | None


class SliceError(Answer):
    code: str
    message: str | None


class Slice(Answer):
    """`planned_quantity` is from before it was lowered, if it was; `late_ms` from its time until it was last sent."""

    slice_id: str
    sequence_number: int
    quantity: int
    planned_quantity: int
    scheduled_at: datetime
    status: SliceStatus
    sent_at: datetime | None
    late_ms: int | None
    attempts: int
    broker_order_id: str | None
    filled_quantity: int
    average_price: Decimal | None
    error: SliceError | None
    last_price_before: Decimal | None = None


class SliceList(Answer):
    """Slices in their sequence, and the last event of their order that they show."""

    slices: list[Slice]
    last_event_id: int


class Fill(Answer):
    """A trade at the broker, of the slice with this number."""

    slice_id: str
    sequence_number: int
    broker_order_id: str
    trade_id: str
    quantity: int
    price: Decimal
    traded_at: datetime
    recorded_at: datetime
    settled_by: str | None


class FillPage(Answer):
    """Trades in the order of their booking; `next_cursor` is None on the last page."""

    fills: list[Fill]
    next_cursor: str | None
