"""What the public API answers about an order that is not placed."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from pulse_client.reading import Answer
from pulse_client.vocabulary import AtEnd, CatchUp, Leftover, PlanWarning, Side


class PlannedSlice(Answer):
    """`quantity` is in shares."""

    sequence_number: int
    scheduled_at: datetime
    quantity: int


class Warned(Answer):
    """Something that should be known before the order is placed."""

    code: PlanWarning
    message: str
    details: Mapping[str, Any]


class Charges(Answer):
    """`parts` by the broker's names for them."""

    total: Decimal
    parts: Mapping[str, Decimal]


class Untold(Answer):
    """A figure that is None, and why."""

    what: str
    reason: str


class Money(Answer):
    """Of all slices together; None where the broker does not tell, for the reason in `not_told`.

    `holdings` are the shares that can be sold, of which open orders will sell `promised`; None without such a sale.
    """

    margin: Decimal | None
    charges: Charges | None
    funds: Decimal | None
    holdings: int | None
    promised: int | None
    not_told: list[Untold]


class OrderPreview(Answer):
    """What an order would be; placed with `plan_token` by `expires_at`, it has exactly these slices.

    `catch_up` to `at_end`: how it would catch up; None where the gateway does not tell.
    """

    order_unique_key: str
    instrument: str
    side: Side
    total_quantity: int
    broker_account: str
    start_at: datetime
    end_at: datetime
    slices: list[PlannedSlice]
    warnings: list[Warned]
    currency: str | None
    price: Decimal | None
    worth: Decimal | None
    money: Money
    plan_token: str
    expires_at: datetime
    catch_up: CatchUp | None = None
    max_slice_multiple: int | None = None
    extend_minutes: int | None = None
    leftover: Leftover | None = None
    at_end: AtEnd | None = None
