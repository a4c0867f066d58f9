"""What an order may state, and what of it may be changed: field by field as the public API names it."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pulse_client.vocabulary import AtEnd, CatchUp, Leftover, OrderType, Product, SessionRule, Side


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
    once. `broker_account` is where it is traded. `catch_up` to `at_end` say how it catches up on what it misses. With
    the `plan_token` of a preview it has the schedule shown there.
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
    catch_up: CatchUp | None = None
    max_slice_multiple: int | None = None
    extend_minutes: int | None = None
    leftover: Leftover | None = None
    at_end: AtEnd | None = None
    plan_token: str | None = None


@dataclass(frozen=True)
class Amendment:
    """What is to change of an order that is not over. What is None is not sent, and stays as it is.

    The window ends `duration_minutes` after its start, or at `end_at`, which is aware: one of the two. `limit_price`
    is for what is unsent. The others say how it catches up from now on.
    """

    total_quantity: int | None = None
    duration_minutes: int | None = None
    end_at: datetime | None = None
    limit_price: Decimal | None = None
    client_note: str | None = None
    catch_up: CatchUp | None = None
    max_slice_multiple: int | None = None
    extend_minutes: int | None = None
    leftover: Leftover | None = None
    at_end: AtEnd | None = None
