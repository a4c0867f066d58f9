"""The shapes of the internal API: types and names here, the rules for values in the domain."""

from typing import Any

from marshmallow import EXCLUDE, RAISE, Schema, fields, validate

from pulse_app.errors import HTTP_STATUS
from pulse_app.fields import Instant, Limit, Price, Truth, WholeNumber
from pulse_core.domain.enums import OrderResult, OrderStatus, OrderType, Product, Side, SliceStatus
from pulse_core.domain.orders import (
    LONGEST_NOTE,
    MAX_MINUTES,
    MAX_QUANTITY,
    MAX_SPLITS,
    MAX_TIMEOUT,
    MIN_MINUTES,
    MIN_SPLITS,
    MIN_TIMEOUT,
)
from pulse_core.domain.settlement import LONGEST_REASON
from pulse_core.services.report import SliceReport

_INSTRUMENT = {"pattern": "^[A-Z]{1,16}:[A-Z0-9&-]{1,32}$", "example": "NSE:RELIANCE"}
_UNIQUE_KEY = {"pattern": "^[ -~]{1,64}$", "example": "my-order-1"}
_ACCOUNT_ID = {"pattern": "^acc_[0-9A-Za-z]{26}$"}
_ORDER_ID = {"pattern": "^ord_[0-7][0-9A-HJKMNP-TV-Z]{25}$"}
_AVERAGE = {"description": "Per share, at 4 places."}


class AnswerSchema(Schema):
    """Further fields may follow in answers."""

    class Meta:
        unknown = EXCLUDE


class ErrorDetailSchema(AnswerSchema):
    code = fields.String(required=True, validate=validate.OneOf(sorted(HTTP_STATUS)))
    message = fields.String(required=True, metadata={"description": "For a person."})
    details = fields.Dict(required=True, metadata={"description": "Names the field and the rule broken."})


class ErrorSchema(AnswerSchema):
    error = fields.Nested(ErrorDetailSchema, required=True)


class RequestSchema(Schema):
    class Meta:
        unknown = RAISE


class PostbackSchema(RequestSchema):
    body = fields.String(required=True, metadata={"description": "What the broker posted, in base64."})


class SplitConfigSchema(RequestSchema):
    num_splits = WholeNumber(required=True, metadata={"minimum": MIN_SPLITS, "maximum": MAX_SPLITS, "example": 5})
    duration_minutes = WholeNumber(
        required=True, metadata={"minimum": MIN_MINUTES, "maximum": MAX_MINUTES, "example": 60}
    )
    randomize = Truth(load_default=True)


class TermsSchema(Schema):
    """What an order may state beyond its quantity and its split."""

    order_type = fields.Enum(
        OrderType, by_value=fields.String, load_default=OrderType.MARKET, metadata={"description": "MARKET or LIMIT."}
    )
    limit_price = Price(
        load_default=None,
        allow_none=True,
        metadata={"description": "Per share; for LIMIT, and only for it. Keeps its digits."},
    )
    start_at = Instant(
        load_default=None, allow_none=True, metadata={"description": "Opens the window; up to 30 days ahead, else now."}
    )
    product = fields.Enum(
        Product,
        by_value=fields.String,
        load_default=None,
        allow_none=True,
        metadata={"description": "Else the default."},
    )
    slice_timeout_seconds = WholeNumber(
        load_default=None,
        allow_none=True,
        metadata={"minimum": MIN_TIMEOUT, "maximum": MAX_TIMEOUT, "description": "How long a placed slice may work."},
    )
    client_note = fields.String(
        load_default=None, allow_none=True, metadata={"maxLength": LONGEST_NOTE, "description": "Kept and shown."}
    )


class NewOrderSchema(RequestSchema, TermsSchema):
    order_unique_key = fields.String(required=True, metadata=_UNIQUE_KEY)
    instrument = fields.String(required=True, metadata=_INSTRUMENT)
    side = fields.Enum(Side, by_value=fields.String, required=True)
    total_quantity = WholeNumber(required=True, metadata={"minimum": 1, "maximum": MAX_QUANTITY, "example": 100})
    split_config = fields.Nested(SplitConfigSchema, required=True)


class AcceptedSchema(AnswerSchema):
    order_id = fields.String(required=True, metadata=_ORDER_ID)
    order_unique_key = fields.String(required=True, metadata=_UNIQUE_KEY)


class OrderQuerySchema(RequestSchema):
    account_id = fields.String(
        validate=validate.Regexp(r"acc_[0-9A-Za-z]{26}\Z", error="Must be an account_id."),
        metadata={**_ACCOUNT_ID, "description": "Of another account: for operators and admins."},
    )
    status = fields.Enum(OrderStatus, by_value=fields.String)
    instrument = fields.String(
        validate=validate.Regexp(r"[A-Z]{1,16}:[A-Z0-9&-]{1,32}\Z", error="Must be EXCHANGE:SYMBOL."),
        metadata=_INSTRUMENT,
    )
    side = fields.Enum(Side, by_value=fields.String)
    created_from = Instant(metadata={"description": "Inclusive."})
    created_to = Instant(metadata={"description": "Exclusive."})
    sort = fields.String(
        load_default="-created_at",
        validate=validate.OneOf(("-created_at", "created_at"), error="Must be -created_at or created_at."),
        metadata={"description": "Newest or oldest first."},
    )
    limit = Limit(1, 200, load_default=50)
    cursor = fields.String(
        validate=validate.Regexp(r"[A-Za-z0-9_=-]{1,200}\Z", error="Must be a next_cursor of an earlier answer."),
        metadata={"description": "`next_cursor` of the page before."},
    )


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


class ExposureSchema(AnswerSchema):
    filled = WholeNumber(required=True)
    working = WholeNumber(required=True, metadata={"description": "Live at the broker and not filled."})
    unknown = WholeNumber(  # type: ignore[assignment]  # also an option of every schema
        required=True, metadata={"description": "May be live; the broker's book will tell."}
    )
    unsent = WholeNumber(required=True)


class OrderSchema(TermsSchema, AcceptedSchema):
    account_id = fields.String(required=True, metadata=_ACCOUNT_ID)
    instrument = fields.String(required=True, metadata=_INSTRUMENT)
    side = fields.Enum(Side, by_value=fields.String, required=True)
    total_quantity = WholeNumber(required=True)
    split_config = fields.Nested(SplitConfigSchema, required=True)
    status = fields.Enum(OrderStatus, by_value=fields.String, required=True)
    result = fields.Enum(OrderResult, by_value=fields.String, required=True, allow_none=True)
    skip_reason = fields.String(required=True, allow_none=True)
    filled_quantity = WholeNumber(required=True)
    leaves_quantity = WholeNumber(required=True, metadata={"description": "Still to be filled."})
    average_price = Price(required=True, allow_none=True, metadata=_AVERAGE)
    exposure = fields.Nested(ExposureSchema, required=True)
    slices = fields.Dict(
        required=True,
        keys=fields.Enum(SliceStatus, by_value=fields.String),
        values=WholeNumber(),
        metadata={"description": "How many slices have each status."},
    )
    end_at = Instant(required=True, metadata={"description": "When the window closes."})
    created_at = Instant(required=True)
    updated_at = Instant(required=True)
    finished_at = Instant(required=True, allow_none=True)


class OrderPageSchema(AnswerSchema):
    orders = fields.List(fields.Nested(OrderSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True, metadata={"description": "null on the last page."})


class SliceErrorSchema(AnswerSchema):
    code = fields.String(required=True)
    message = fields.String(required=True, allow_none=True)


class SliceSchema(AnswerSchema):
    slice_id = fields.String(required=True)
    sequence_number = WholeNumber(required=True)
    quantity = WholeNumber(required=True)
    scheduled_at = Instant(required=True)
    status = fields.Enum(SliceStatus, by_value=fields.String, required=True)
    sent_at = Instant(required=True, allow_none=True)
    attempts = WholeNumber(required=True)
    broker_order_id = fields.String(required=True, allow_none=True)
    filled_quantity = WholeNumber(required=True)
    average_price = Price(required=True, allow_none=True, metadata=_AVERAGE)
    error = fields.Nested(SliceErrorSchema, required=True, allow_none=True)

    def get_attribute(self, obj: SliceReport, attr: str, default: Any) -> Any:
        if attr != "error":
            return super().get_attribute(obj, attr, default)
        return {"code": obj.error_code, "message": obj.error_message} if obj.error_code else None


class SliceListSchema(AnswerSchema):
    slices = fields.List(fields.Nested(SliceSchema), required=True)


class HealthSchema(AnswerSchema):
    status = fields.String(required=True, validate=validate.Equal("ok"))


class ReadySchema(AnswerSchema):
    status = fields.String(required=True, validate=validate.Equal("ready"))
    degraded = fields.List(
        fields.String(), required=True, metadata={"description": "What is missing without stopping orders."}
    )


NEW_ORDER = NewOrderSchema()
ORDER_QUERY = OrderQuerySchema()
POSTBACK = PostbackSchema()
SETTLEMENT = SettlementSchema()
