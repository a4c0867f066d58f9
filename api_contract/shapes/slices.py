"""The shapes of slices and trades: types and names here, the rules for values in `order_rules`."""

from typing import Any

from marshmallow import fields

from api_contract.fields import EventId, Instant, Limit, Price, Truth, WholeNumber, Word
from api_contract.order_rules import (
    LONGEST_REASON,
    MAX_QUANTITY,
)
from api_contract.shapes.base import (
    A_SLICE,
    AnswerSchema,
    RequestSchema,
    cursor_field,
    next_cursor_field,
)
from api_contract.shapes.order_requests import CHANGED_AFTER
from api_contract.shapes.orders import AVERAGE, LAST_EVENT
from api_contract.vocabulary import (
    SliceStatus,
)

MOST_FILLS_AT_ONCE = 500


class SliceQuerySchema(RequestSchema):
    changed_after = EventId(metadata=CHANGED_AFTER)


class FillQuerySchema(RequestSchema):
    limit = Limit(1, MOST_FILLS_AT_ONCE, load_default=100)
    cursor = cursor_field()


class SettlementSchema(RequestSchema):
    """`filled` with `price`, or `absent` with a reason."""

    filled = WholeNumber(
        load_default=None,
        allow_none=True,
        metadata={"minimum": 1, "maximum": MAX_QUANTITY, "description": "Shares of the last attempt, in all."},
    )
    price = Price(load_default=None, allow_none=True, metadata={"description": "Average per share; with filled."})
    absent = Truth(load_default=False, metadata={"description": "Never placed, or no more was filled than is booked."})
    reason = fields.String(
        load_default="", metadata={"maxLength": LONGEST_REASON, "description": "How it is known; needed with absent."}
    )


class SliceErrorSchema(AnswerSchema):
    code = fields.String(required=True)
    message = fields.String(required=True, allow_none=True)


class SliceSchema(AnswerSchema):
    slice_id = fields.String(required=True)
    sequence_number = WholeNumber(required=True)
    quantity = WholeNumber(required=True)
    planned_quantity = WholeNumber(required=True, metadata={"description": "Before it was lowered, if it was."})
    scheduled_at = Instant(required=True)
    status = Word(SliceStatus, required=True)
    sent_at = Instant(required=True, allow_none=True)
    late_ms = WholeNumber(
        required=True, allow_none=True, metadata={"description": "From scheduled_at until it was last sent."}
    )
    attempts = WholeNumber(required=True)
    broker_order_id = fields.String(required=True, allow_none=True)
    filled_quantity = WholeNumber(required=True)
    average_price = Price(required=True, allow_none=True, metadata=AVERAGE)
    last_price_before = Price(
        required=True, allow_none=True, metadata={"description": "The last price before it was last sent, where known."}
    )
    error = fields.Nested(SliceErrorSchema, required=True, allow_none=True)

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        if attr != "error":
            return super().get_attribute(obj, attr, default)
        return {"code": obj.error_code, "message": obj.error_message} if obj.error_code else None


class SliceListSchema(AnswerSchema):
    slices = fields.List(fields.Nested(SliceSchema), required=True)
    last_event_id = WholeNumber(required=True, metadata={"description": LAST_EVENT})


class FillSchema(AnswerSchema):
    slice_id = fields.String(required=True)
    sequence_number = WholeNumber(required=True, metadata={"description": "That of the slice."})
    broker_order_id = fields.String(required=True)
    trade_id = fields.String(required=True, metadata={"description": "The broker's, which it gives anew each day."})
    quantity = WholeNumber(required=True)
    price = Price(required=True, metadata={"description": "Per share."})
    traded_at = Instant(required=True, metadata={"description": "By the broker's clock."})
    recorded_at = Instant(required=True)
    settled_by = fields.String(
        required=True, allow_none=True, metadata={"description": "The operator by whose word it is booked."}
    )


class FillPageSchema(AnswerSchema):
    fills = fields.List(fields.Nested(FillSchema), required=True)
    next_cursor = next_cursor_field()


SLICE_QUERY, FILL_QUERY = SliceQuerySchema(), FillQuerySchema()


SETTLEMENT = SettlementSchema()


_SLICE = {
    "slice_id": A_SLICE,
    "sequence_number": 2,
    "quantity": 20,
    "planned_quantity": 20,
    "scheduled_at": "2026-11-23T06:40:20.481000Z",
    "status": "FILLED",
    "sent_at": "2026-11-23T06:40:20.510000Z",
    "late_ms": 29,
    "attempts": 1,
    "broker_order_id": "2611232308200000002",
    "filled_quantity": 20,
    "average_price": "2850.0000",
    "last_price_before": "2849.95",
    "error": None,
}


_FILL = {
    "slice_id": A_SLICE,
    "sequence_number": 2,
    "broker_order_id": "2611232308200000002",
    "trade_id": "50012",
    "quantity": 20,
    "price": "2850.0000",
    "traded_at": "2026-11-23T06:40:20.000000Z",
    "recorded_at": "2026-11-23T06:40:20.733000Z",
    "settled_by": None,
}


EXAMPLES: dict[str, Any] = {
    "Settlement": {"filled": 12, "price": "2850.05", "reason": "contract note of the day"},
    "Slice": _SLICE,
    "SliceList": {"slices": [_SLICE], "last_event_id": 18},
    "FillPage": {"fills": [_FILL], "next_cursor": None},
}
