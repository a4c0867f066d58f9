"""The shapes of orders and slices: types and names here, the rules for values in `order_rules`."""

from typing import Any

from marshmallow import fields

from api_contract.fields import Instant, Price, WholeNumber, Word
from api_contract.shapes.base import (
    AN_ACCOUNT,
    AN_ORDER,
    AnswerSchema,
    next_cursor_field,
)
from api_contract.shapes.order_requests import (
    SHOWN_ACCOUNT_ID,
    SHOWN_BROKER_ACCOUNT,
    SHOWN_INSTRUMENT,
    SHOWN_ORDER_ID,
    SHOWN_UNIQUE_KEY,
    SPLIT_EXAMPLE,
    WINDOW_MINUTES,
    SplitConfigSchema,
    TermsSchema,
    side_field,
)
from api_contract.shapes.policies import PolicySchema
from api_contract.vocabulary import (
    HoldReason,
    NotFittingReason,
    OrderResult,
    OrderStatus,
    SliceStatus,
)

LAST_EVENT = "The last event that is shown here: those after it are news."


PLANNED_BY_NOW = (
    "What its schedule was to have filled by now: the `planned_quantity` of its slices whose `scheduled_at` has passed,"
    " added up, without those that an amendment took out, and never more than the total. 0 before it is split, null"
    " once its slices are archived."
    " It grows with the time alone: no event tells of that, and neither ETag nor version changes with it."
)
LATE = (
    "How long after their planned time its slices were sent, in milliseconds: the `late_ms` of those that were sent."
    " null where none was, or they are archived."
)
AVERAGE = {"description": "Per share, at 4 places."}


class SplitSchema(SplitConfigSchema):
    """The same of an order: its minutes are known."""

    duration_minutes = WholeNumber(required=True, metadata=WINDOW_MINUTES)


class AcceptedSchema(AnswerSchema):
    order_id = fields.String(required=True, metadata=SHOWN_ORDER_ID)
    order_unique_key = fields.String(required=True, metadata=SHOWN_UNIQUE_KEY)


class ExposureSchema(AnswerSchema):
    filled = WholeNumber(required=True)
    working = WholeNumber(required=True, metadata={"description": "Live at the broker and not filled."})
    on_its_way = WholeNumber(required=True, metadata={"description": "Being sent at this moment."})
    unknown = WholeNumber(  # type: ignore[assignment]  # also an option of every schema
        required=True, metadata={"description": "May be live; the broker's book will tell."}
    )
    unsent = WholeNumber(required=True)


class HeldSchema(AnswerSchema):
    reason = Word(HoldReason, required=True)
    since = Instant(required=True)
    message = fields.String(
        required=True, allow_none=True, metadata={"description": "The broker's words, or those of who halted it."}
    )
    halt_id = fields.String(
        required=True, allow_none=True, metadata={"description": "Of the halt, where the reason is HALTED."}
    )
    ended_by = fields.String(required=True, metadata={"description": "What ends it, in a sentence."})


class LevelSchema(AnswerSchema):
    price = Price(required=True)
    quantity = WholeNumber(required=True)


class ArrivalSchema(AnswerSchema):
    taken_at = Instant(required=True, metadata={"description": "When it was read, just after the order was accepted."})
    quoted_at = Instant(required=True, allow_none=True, metadata={"description": "By the broker's clock."})
    last_price = Price(required=True)
    bid = Price(required=True, allow_none=True, metadata={"description": "The best price that somebody buys at."})
    ask = Price(required=True, allow_none=True, metadata={"description": "The best price that somebody sells at."})
    volume = WholeNumber(required=True, allow_none=True, metadata={"description": "Traded that day until then."})
    bids = fields.List(fields.Nested(LevelSchema), required=True, metadata={"description": "Up to five, best first."})
    asks = fields.List(fields.Nested(LevelSchema), required=True, metadata={"description": "Up to five, best first."})


class NotFittingSchema(AnswerSchema):
    quantity = WholeNumber(required=True, metadata={"description": "Units that are not sent any more."})
    reason = Word(NotFittingReason, required=True, metadata={"description": "Of the last of them."})


class LateSchema(AnswerSchema):
    last = WholeNumber(required=True, allow_none=True, metadata={"description": "Of the slice that was sent last."})
    p95 = WholeNumber(required=True, allow_none=True, metadata={"description": "95 of 100 were sent within this."})
    worst = WholeNumber(required=True, allow_none=True)


class OrderSchema(TermsSchema, PolicySchema, AcceptedSchema):
    account_id = fields.String(required=True, metadata=SHOWN_ACCOUNT_ID)
    account_name = fields.String(required=True, metadata={"description": "The username of the account."})
    instrument = fields.String(required=True, metadata=SHOWN_INSTRUMENT)
    side = side_field(required=True)
    total_quantity = WholeNumber(required=True)
    split_config = fields.Nested(SplitSchema, required=True)
    broker_account = fields.String(
        required=True, metadata={**SHOWN_BROKER_ACCOUNT, "description": "Where it is traded; it never changes."}
    )
    status = Word(OrderStatus, required=True)
    result = Word(OrderResult, required=True, allow_none=True)
    skip_reason = fields.String(required=True, allow_none=True)
    filled_quantity = WholeNumber(required=True)
    leaves_quantity = WholeNumber(required=True, metadata={"description": "Still to be filled."})
    average_price = Price(required=True, allow_none=True, metadata=AVERAGE)
    currency = fields.String(
        required=True, allow_none=True, metadata={"description": "Of all its prices; null where it is not known."}
    )
    exposure = fields.Nested(ExposureSchema, required=True)
    slices = fields.Dict(
        required=True,
        keys=Word(SliceStatus),
        values=WholeNumber(),
        metadata={"description": "How many slices have each status."},
    )
    next_slice_at = Instant(
        required=True, allow_none=True, metadata={"description": "When the next slice is due; null while none is."}
    )
    end_at = Instant(required=True, metadata={"description": "When the window closes."})
    created_at = Instant(required=True)
    updated_at = Instant(required=True)
    finished_at = Instant(required=True, allow_none=True)
    archived_at = Instant(
        required=True,
        allow_none=True,
        metadata={
            "description": "Since when its slices, fills and events are in the archive; null while they are here."
        },
    )
    held = fields.Nested(
        HeldSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Why nothing of it is sent for now; null while nothing holds it."},
    )
    arrival = fields.Nested(
        ArrivalSchema,
        required=True,
        allow_none=True,
        metadata={"description": "What its instrument stood at when it arrived; null where no price was told then."},
    )
    not_fitting = fields.Nested(
        NotFittingSchema,
        required=True,
        allow_none=True,
        metadata={"description": "What it has given up so far; null while that is nothing."},
    )
    planned_quantity = WholeNumber(required=True, allow_none=True, metadata={"description": PLANNED_BY_NOW})
    late_ms = fields.Nested(LateSchema, required=True, metadata={"description": LATE})


class OrderSnapshotSchema(OrderSchema):
    last_event_id = WholeNumber(required=True, metadata={"description": LAST_EVENT})


class OrderPageSchema(AnswerSchema):
    orders = fields.List(fields.Nested(OrderSchema), required=True)
    next_cursor = next_cursor_field()
    last_event_id = WholeNumber(
        required=True,
        allow_none=True,
        metadata={"description": f"{LAST_EVENT} null for orders of several accounts: each has numbers of its own."},
    )


# The header of an answer that made an order.
LOCATION = {"Location": {"description": "The order.", "schema": {"type": "string"}}}


ACCEPTED_EXAMPLE = {"order_id": AN_ORDER, "order_unique_key": "my-order-1"}


_ORDER = {
    **ACCEPTED_EXAMPLE,
    "order_type": "LIMIT",
    "limit_price": "2851.50",
    "start_at": "2026-11-23T06:25:06.100000Z",
    "session": "refuse",
    "product": "CNC",
    "slice_timeout_seconds": 300,
    "client_note": "rebalancing",
    "catch_up": "spread",
    "max_slice_multiple": 3,
    "extend_minutes": 0,
    "leftover": "catch_up",
    "at_end": "leave",
    "account_id": AN_ACCOUNT,
    "account_name": "asha",
    "instrument": "NSE:RELIANCE",
    "side": "BUY",
    "total_quantity": 100,
    "split_config": SPLIT_EXAMPLE,
    "broker_account": "paper",
    "status": "IN_PROGRESS",
    "result": None,
    "skip_reason": None,
    "filled_quantity": 41,
    "leaves_quantity": 59,
    "average_price": "2849.9744",
    "currency": "INR",
    "exposure": {"filled": 41, "working": 0, "on_its_way": 0, "unknown": 0, "unsent": 59},
    "slices": {"FILLED": 2, "SCHEDULED": 3},
    "next_slice_at": "2026-11-23T06:55:06.100000Z",
    "end_at": "2026-11-23T07:25:06.100000Z",
    "created_at": "2026-11-23T06:25:06.100000Z",
    "updated_at": "2026-11-23T06:40:20.510000Z",
    "finished_at": None,
    "archived_at": None,
    "held": None,
    "arrival": {
        "taken_at": "2026-11-23T06:25:06.900000Z",
        "quoted_at": "2026-11-23T06:25:06.000000Z",
        "last_price": "2849.50",
        "bid": "2849.45",
        "ask": "2849.60",
        "volume": 1204511,
        "bids": [{"price": "2849.45", "quantity": 310}],
        "asks": [{"price": "2849.60", "quantity": 125}],
    },
    "not_fitting": None,
    "planned_quantity": 40,
    "late_ms": {"last": 47, "p95": 88, "worst": 88},
}


EXAMPLES: dict[str, Any] = {
    "Accepted": ACCEPTED_EXAMPLE,
    "Order": _ORDER,
    "OrderSnapshot": _ORDER | {"last_event_id": 18},
    "OrderPage": {"orders": [_ORDER], "next_cursor": None, "last_event_id": 18},
}
