"""What an order may state: field by field as the public API names it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pulse_client.vocabulary import OrderType, Product, SessionRule, Side


@dataclass(frozen=True)
class SplitConfig:
    """`duration_minutes` is the length of the order's window; None with `until_close`: its market ends it."""

    num_splits: int
    duration_minutes: int | None
    randomize: bool = True
    until_close: bool | None = None


@dataclass(frozen=True)
class NewOrder:
    """An order to be placed. What is None is not sent, and left to the service.

    `limit_price` is per share, and belongs to order_type LIMIT. `start_at` is aware; without it the window opens at
    once. `broker_account` is where it is traded. With the `plan_token` of a preview it has the schedule shown
    there.
    """

    order_unique_key: str
    instrument: str
    side: Side
    total_quantity: int
    split_config: SplitConfig
    order_type: OrderType | None = None
    limit_price: Decimal | None = None
    start_at: datetime | None = None
    session: SessionRule | None = None
    product: Product | None = None
    slice_timeout_seconds: int | None = None
    client_note: str | None = None
    broker_account: str | None = None
    plan_token: str | None = None
