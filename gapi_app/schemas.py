"""The shapes of the public API. Requests are read with these; answers are pulse's, described by these."""

from marshmallow import EXCLUDE, RAISE, Schema, fields, validate

from gapi_app.errors import HTTP_STATUS
from gapi_app.fields import Instant, Limit, Price, Truth, WholeNumber
from gapi_app.rules import LONGEST_NOTE, LONGEST_REASON, MAX_QUANTITY, MINUTES, SPLITS, TIMEOUT

_SIDES = ("BUY", "SELL")
_ORDER_TYPES = ("MARKET", "LIMIT")
_PRODUCTS = ("CNC", "MIS", "NRML")
_ORDER_STATUSES = ("PENDING", "IN_PROGRESS", "PAUSED", "CANCELLING", "CANCELLED", "DONE", "SKIPPED")
_RESULTS = ("FILLED", "PARTIALLY_FILLED", "UNFILLED")
_SLICE_STATUSES = (
    "SCHEDULED", "SENDING", "UNKNOWN", "WORKING", "FILLED", "CANCELLED", "REJECTED", "EXPIRED", "FAILED", "SKIPPED",
)  # fmt: skip
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


class SplitConfigSchema(RequestSchema):
    num_splits = WholeNumber(required=True, metadata={"minimum": SPLITS[0], "maximum": SPLITS[1], "example": 5})
    duration_minutes = WholeNumber(
        required=True, metadata={"minimum": MINUTES[0], "maximum": MINUTES[1], "example": 60}
    )
    randomize = Truth(load_default=True)


class TermsSchema(Schema):
    """What an order may state beyond its quantity and its split."""

    order_type = fields.String(
        load_default="MARKET",
        validate=validate.OneOf(_ORDER_TYPES, error="Must be MARKET or LIMIT."),
        metadata={"description": "MARKET or LIMIT."},
    )
    limit_price = Price(
        load_default=None,
        allow_none=True,
        metadata={"description": "Per share; for LIMIT, and only for it. Keeps its digits."},
    )
    start_at = Instant(
        load_default=None,
        allow_none=True,
        metadata={"description": "Opens the window; up to 30 days ahead, else now."},
    )
    product = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf(_PRODUCTS, error="Must be CNC, MIS or NRML."),
        metadata={"description": "Else the default."},
    )
    slice_timeout_seconds = WholeNumber(
        load_default=None,
        allow_none=True,
        metadata={"minimum": TIMEOUT[0], "maximum": TIMEOUT[1], "description": "How long a placed slice may work."},
    )
    client_note = fields.String(
        load_default=None, allow_none=True, metadata={"maxLength": LONGEST_NOTE, "description": "Kept and shown."}
    )


class NewOrderSchema(RequestSchema, TermsSchema):
    order_unique_key = fields.String(required=True, metadata=_UNIQUE_KEY)
    instrument = fields.String(required=True, metadata=_INSTRUMENT)
    side = fields.String(required=True, validate=validate.OneOf(_SIDES, error="Must be BUY or SELL."))
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
    status = fields.String(validate=validate.OneOf(_ORDER_STATUSES))
    instrument = fields.String(
        validate=validate.Regexp(r"[A-Z]{1,16}:[A-Z0-9&-]{1,32}\Z", error="Must be EXCHANGE:SYMBOL."),
        metadata=_INSTRUMENT,
    )
    side = fields.String(validate=validate.OneOf(_SIDES, error="Must be BUY or SELL."))
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
    side = fields.String(required=True, validate=validate.OneOf(_SIDES))
    total_quantity = WholeNumber(required=True)
    split_config = fields.Nested(SplitConfigSchema, required=True)
    status = fields.String(required=True, validate=validate.OneOf(_ORDER_STATUSES))
    result = fields.String(required=True, allow_none=True, validate=validate.OneOf(_RESULTS))
    skip_reason = fields.String(required=True, allow_none=True)
    filled_quantity = WholeNumber(required=True)
    leaves_quantity = WholeNumber(required=True, metadata={"description": "Still to be filled."})
    average_price = Price(required=True, allow_none=True, metadata=_AVERAGE)
    exposure = fields.Nested(ExposureSchema, required=True)
    slices = fields.Dict(
        required=True,
        keys=fields.String(validate=validate.OneOf(_SLICE_STATUSES)),
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
    status = fields.String(required=True, validate=validate.OneOf(_SLICE_STATUSES))
    sent_at = Instant(required=True, allow_none=True)
    attempts = WholeNumber(required=True)
    broker_order_id = fields.String(required=True, allow_none=True)
    filled_quantity = WholeNumber(required=True)
    average_price = Price(required=True, allow_none=True, metadata=_AVERAGE)
    error = fields.Nested(SliceErrorSchema, required=True, allow_none=True)


class SliceListSchema(AnswerSchema):
    slices = fields.List(fields.Nested(SliceSchema), required=True)


class HealthSchema(AnswerSchema):
    status = fields.String(required=True, validate=validate.Equal("ok"))


class ReadySchema(AnswerSchema):
    status = fields.String(required=True, validate=validate.Equal("ready"))


NEW_ORDER = NewOrderSchema()
SETTLEMENT = SettlementSchema()
ORDER_QUERY = OrderQuerySchema()
