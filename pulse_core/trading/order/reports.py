"""What is told of orders, their slices and their trades."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from api_contract.versions import OF_THE_MOMENT
from api_contract.vocabulary import (
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
from pulse_core.trading.exposure import Exposure
from pulse_core.trading.order.arrivals import ArrivalReport


@dataclass(frozen=True)
class SplitConfig:
    num_splits: int
    duration_minutes: int
    randomize: bool
    until_close: bool


@dataclass(frozen=True)
class HeldReport:
    """Why nothing of an order is sent for now, what the broker or who halted it said, and what ends that."""

    reason: HoldReason
    since: datetime
    message: str | None
    ended_by: str
    halt_id: str | None = None


@dataclass(frozen=True)
class NotFittingReport:
    """What an order has given up so far, in units, and why the last of it."""

    quantity: int
    reason: NotFittingReason


@dataclass(frozen=True)
class LateReport:
    """How long after their planned times slices were sent, in milliseconds; None where none was sent.

    `last` is of the one that was sent last; 95 of 100 were sent within `p95`.
    """

    last: int | None
    p95: int | None
    worst: int | None


@dataclass(frozen=True)
class OrderReport:
    """An order as clients see it; `slices` counts its slices by status, `next_slice_at` is when the next one is due.

    `planned_quantity` is what its schedule was to have filled by now, in units, None once its slices are archived.
    It grows with the time alone, and is of no version.
    """

    order_id: str
    account_id: str
    account_name: str
    order_unique_key: str
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
    catch_up: CatchUp
    max_slice_multiple: int
    extend_minutes: int
    leftover: Leftover
    at_end: AtEnd
    status: OrderStatus
    result: OrderResult | None
    skip_reason: str | None
    filled_quantity: int
    leaves_quantity: int
    average_price: Decimal | None
    currency: str | None
    exposure: Exposure
    slices: Mapping[SliceStatus, int]
    next_slice_at: datetime | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    archived_at: datetime | None
    held: HeldReport | None
    arrival: ArrivalReport | None
    not_fitting: NotFittingReport | None
    planned_quantity: int | None = field(metadata=OF_THE_MOMENT)
    late_ms: LateReport


@dataclass(frozen=True)
class OrderSnapshot(OrderReport):
    """An order with the last numbered event of it that it shows."""

    last_event_id: int


@dataclass(frozen=True)
class OrderOrigin:
    """Where an order came from; `trace` holds the ids of the request that placed it."""

    order_id: str
    order_unique_key: str
    account_id: str
    trace: Mapping[str, str]


@dataclass(frozen=True)
class SliceReport:
    """A slice as clients see it; `late_ms`: how long after its planned time it was last sent."""

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
    last_price_before: Decimal | None
    error_code: str | None
    error_message: str | None


@dataclass(frozen=True)
class SliceList:
    """Slices of an order in their sequence, with the last numbered event of it that they show."""

    slices: Sequence[SliceReport]
    last_event_id: int


@dataclass(frozen=True)
class OrderPage:
    """Orders, newest first, and the cursor of the next page, None on the last.

    `last_event_id` is the account's last numbered event that is shown; None where orders of several are listed.
    """

    orders: Sequence[OrderReport]
    next_cursor: str | None
    last_event_id: int | None


@dataclass(frozen=True)
class FillReport:
    """A trade at the broker, of the slice with this number; `settled_by` is the operator by whose word it is."""

    slice_id: str
    sequence_number: int
    broker_order_id: str
    trade_id: str
    quantity: int
    price: Decimal
    traded_at: datetime
    recorded_at: datetime
    settled_by: str | None


@dataclass(frozen=True)
class FillPage:
    """Trades in the order of their booking, and the cursor of the next page, None on the last."""

    fills: Sequence[FillReport]
    next_cursor: str | None
