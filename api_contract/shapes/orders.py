"""The shapes of orders and slices: types and names here, the rules for values in `order_rules`."""

import re
from typing import Any

from marshmallow import Schema, fields, post_dump, post_load, validate

from api_contract.fields import EventId, Flag, Instant, Limit, Price, Truth, WholeNumber, Word, Words
from api_contract.ids import ACCOUNT_ID, ORDER_ID
from api_contract.order_rules import (
    BROKER_ACCOUNT,
    LONGEST_NOTE,
    LONGEST_REASON,
    MAX_MINUTES,
    MAX_QUANTITY,
    MAX_SPLITS,
    MAX_TIMEOUT,
    MIN_MINUTES,
    MIN_SPLITS,
    MIN_TIMEOUT,
    PLAN_TOKEN,
    UNIQUE_KEY,
    NewOrder,
)
from api_contract.policy_rules import POLICY
from api_contract.shapes.base import (
    A_SLICE,
    AN_ACCOUNT,
    AN_ORDER,
    AnswerSchema,
    RequestSchema,
    cursor_field,
    matches,
    next_cursor_field,
    shown,
)
from api_contract.shapes.policies import PolicySchema, StatedPolicySchema
from api_contract.vocabulary import (
    CatchUp,
    HoldReason,
    NotFittingReason,
    OrderResult,
    OrderStatus,
    OrderType,
    Product,
    SessionRule,
    Side,
    SliceStatus,
    WorkingSlices,
)

MOST_FILLS_AT_ONCE = 500
_ANY_INSTRUMENT = re.compile("[A-Z]{1,16}:[A-Z0-9&.-]{1,32}")
_INSTRUMENT = shown(_ANY_INSTRUMENT) | {"example": "NSE:RELIANCE"}
_BROKER_ACCOUNT = shown(BROKER_ACCOUNT) | {"example": "paper"}
_UNIQUE_KEY = {"pattern": "^[ -~]{1,64}$", "example": "my-order-1"}
_ACCOUNT_ID, _ORDER_ID = shown(ACCOUNT_ID), shown(ORDER_ID)
_CHANGED_AFTER = {"description": "What has changed after this event: the `last_event_id` of a reading before."}
_LAST_EVENT = "The last event that is shown here: those after it are news."
_AVERAGE = {"description": "Per share, at 4 places."}


def _side(**options: Any) -> Word:
    return Word(Side, "Must be BUY or SELL.", **options)


_MINUTES = {"minimum": MIN_MINUTES, "maximum": MAX_MINUTES, "example": 60}


class SplitConfigSchema(RequestSchema):
    num_splits = WholeNumber(required=True, metadata={"minimum": MIN_SPLITS, "maximum": MAX_SPLITS, "example": 5})
    duration_minutes = WholeNumber(
        load_default=None,
        allow_none=True,
        metadata={**_MINUTES, "description": "Needed without until_close."},
    )
    randomize = Truth(load_default=True)
    until_close = Truth(
        load_default=False,
        metadata={"description": "The window ends when its market closes, in place of a length of minutes."},
    )


class SplitSchema(SplitConfigSchema):
    """The same of an order: its minutes are known."""

    duration_minutes = WholeNumber(required=True, metadata=_MINUTES)


class TermsSchema(Schema):
    """What an order may state beyond its quantity and its split."""

    order_type = Word(
        OrderType,
        "Must be MARKET or LIMIT.",
        load_default=OrderType.MARKET,
        metadata={"description": "MARKET or LIMIT."},
    )
    limit_price = Price(
        load_default=None,
        allow_none=True,
        metadata={"description": "Per share; for LIMIT, and only for it. Keeps its digits."},
    )
    start_at = Instant(
        load_default=None, allow_none=True, metadata={"description": "Opens the window; up to 30 days ahead, else now."}
    )
    session = Word(
        SessionRule,
        "Must be refuse, wait or at_open.",
        load_default=SessionRule.REFUSE,
        metadata={"description": "Where the market is closed: refuse the order, wait, or begin with the next session."},
    )
    product = Word(
        Product,
        "Must be CNC, MIS or NRML.",
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


class StatedOrderSchema(RequestSchema, TermsSchema, StatedPolicySchema):
    """An order as its client states it, before it is placed."""

    order_unique_key = fields.String(required=True, metadata=_UNIQUE_KEY)
    instrument = fields.String(required=True, metadata=_INSTRUMENT)
    side = _side(required=True)
    total_quantity = WholeNumber(required=True, metadata={"minimum": 1, "maximum": MAX_QUANTITY, "example": 100})
    split_config = fields.Nested(SplitConfigSchema, required=True)
    broker_account = fields.String(
        load_default=None,
        allow_none=True,
        metadata={**_BROKER_ACCOUNT, "description": "Where it is traded; else the installation's account."},
    )

    @post_load
    def as_order(self, stated: dict[str, Any], **_: Any) -> NewOrder:
        return NewOrder(**stated.pop("split_config"), **stated)

    @post_dump
    def without_unstated_policy(self, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        """A service of before has defaults of its own, and knows no null there."""
        return {name: value for name, value in body.items() if value is not None or name not in POLICY}

    def get_attribute(self, obj: NewOrder, attr: str, default: Any) -> Any:
        return obj if attr == "split_config" else super().get_attribute(obj, attr, default)


class NewOrderSchema(StatedOrderSchema):
    plan_token = fields.String(
        load_default=None,
        allow_none=True,
        metadata=shown(PLAN_TOKEN) | {"description": "Of a preview of this order: it has the schedule shown there."},
    )


class AmendmentSchema(RequestSchema, PolicySchema):
    """What is stated is changed; the rest stays as it is."""

    total_quantity = WholeNumber(
        metadata={
            "minimum": 1,
            "maximum": MAX_QUANTITY,
            "description": "No less than what is filled, or was sent and may still be filled.",
        }
    )
    duration_minutes = WholeNumber(
        metadata={"minimum": MIN_MINUTES, "maximum": MAX_MINUTES, "description": "Of the window, from its start on."}
    )
    end_at = Instant(metadata={"description": "When the window closes; in place of duration_minutes."})
    limit_price = Price(metadata={"description": "Of LIMIT orders, for what is unsent."})
    client_note = fields.String(
        allow_none=True, metadata={"maxLength": LONGEST_NOTE, "description": "null: none any more."}
    )


class AcceptedSchema(AnswerSchema):
    order_id = fields.String(required=True, metadata=_ORDER_ID)
    order_unique_key = fields.String(required=True, metadata=_UNIQUE_KEY)


class OrderQuerySchema(RequestSchema):
    account_id = fields.String(
        validate=matches(ACCOUNT_ID, "Must be an account_id."),
        metadata={**_ACCOUNT_ID, "description": "Of another account: for operators and admins."},
    )
    status = Words(OrderStatus, metadata={"description": "One or more, separated by commas."})
    order_unique_key = fields.String(
        validate=matches(UNIQUE_KEY, "Must be 1 to 64 printable ASCII characters."), metadata=_UNIQUE_KEY
    )
    instrument = fields.String(validate=matches(_ANY_INSTRUMENT, "Must be EXCHANGE:SYMBOL."), metadata=_INSTRUMENT)
    broker_account = fields.String(
        validate=matches(BROKER_ACCOUNT, "Must be the name of a broker account."), metadata=_BROKER_ACCOUNT
    )
    side = _side()
    created_from = Instant(metadata={"description": "Inclusive."})
    created_to = Instant(metadata={"description": "Exclusive."})
    attention = Flag(metadata={"description": "true: somebody should look; false: nobody needs to."})
    changed_after = EventId(metadata=_CHANGED_AFTER)
    sort = fields.String(
        load_default="-created_at",
        validate=validate.OneOf(("-created_at", "created_at"), error="Must be -created_at or created_at."),
        metadata={"description": "Newest or oldest first."},
    )
    limit = Limit(1, 200, load_default=50)
    cursor = cursor_field()


class KeyOwnerQuerySchema(RequestSchema):
    account_id = fields.String(
        validate=matches(ACCOUNT_ID, "Must be an account_id."),
        metadata={**_ACCOUNT_ID, "description": "Of another account: for operators and admins."},
    )


class KeyQuerySchema(KeyOwnerQuerySchema):
    order_unique_key = fields.String(
        required=True, validate=matches(UNIQUE_KEY, "Must be 1 to 64 printable ASCII characters."), metadata=_UNIQUE_KEY
    )


class PauseQuerySchema(RequestSchema):
    working = Word(
        WorkingSlices,
        "Must be keep or cancel.",
        load_default=WorkingSlices.KEEP,
        metadata={"description": "Of slices that work at the broker: keep them there, or cancel them."},
    )


class SliceQuerySchema(RequestSchema):
    changed_after = EventId(metadata=_CHANGED_AFTER)


class FillQuerySchema(RequestSchema):
    limit = Limit(1, MOST_FILLS_AT_ONCE, load_default=100)
    cursor = cursor_field()


class ResumeQuerySchema(RequestSchema):
    catch_up = Word(
        CatchUp,
        "Must be spread, next_slice, burst or skip.",
        metadata={"description": "In place of the order's own, for this once."},
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


class OrderSchema(TermsSchema, PolicySchema, AcceptedSchema):
    account_id = fields.String(required=True, metadata=_ACCOUNT_ID)
    instrument = fields.String(required=True, metadata=_INSTRUMENT)
    side = _side(required=True)
    total_quantity = WholeNumber(required=True)
    split_config = fields.Nested(SplitSchema, required=True)
    broker_account = fields.String(
        required=True, metadata={**_BROKER_ACCOUNT, "description": "Where it is traded; it never changes."}
    )
    status = Word(OrderStatus, required=True)
    result = Word(OrderResult, required=True, allow_none=True)
    skip_reason = fields.String(required=True, allow_none=True)
    filled_quantity = WholeNumber(required=True)
    leaves_quantity = WholeNumber(required=True, metadata={"description": "Still to be filled."})
    average_price = Price(required=True, allow_none=True, metadata=_AVERAGE)
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


class OrderSnapshotSchema(OrderSchema):
    last_event_id = WholeNumber(required=True, metadata={"description": _LAST_EVENT})


class OrderPageSchema(AnswerSchema):
    orders = fields.List(fields.Nested(OrderSchema), required=True)
    next_cursor = next_cursor_field()
    last_event_id = WholeNumber(
        required=True,
        allow_none=True,
        metadata={"description": f"{_LAST_EVENT} null for orders of several accounts: each has numbers of its own."},
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
    average_price = Price(required=True, allow_none=True, metadata=_AVERAGE)
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
    last_event_id = WholeNumber(required=True, metadata={"description": _LAST_EVENT})


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


NEW_ORDER, STATED_ORDER = NewOrderSchema(), StatedOrderSchema()
ORDER_QUERY, KEY_OWNER_QUERY, KEY_QUERY = OrderQuerySchema(), KeyOwnerQuerySchema(), KeyQuerySchema()
SLICE_QUERY, FILL_QUERY = SliceQuerySchema(), FillQuerySchema()
AMENDMENT = AmendmentSchema()
PAUSE_QUERY, RESUME_QUERY, SETTLEMENT = PauseQuerySchema(), ResumeQuerySchema(), SettlementSchema()

# The header of an answer that made an order.
LOCATION = {"Location": {"description": "The order.", "schema": {"type": "string"}}}

ACCEPTED_EXAMPLE = {"order_id": AN_ORDER, "order_unique_key": "my-order-1"}
_SPLIT = {"num_splits": 5, "duration_minutes": 60, "randomize": True, "until_close": False}
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
    "instrument": "NSE:RELIANCE",
    "side": "BUY",
    "total_quantity": 100,
    "split_config": _SPLIT,
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
}
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
NEW_ORDER_EXAMPLE = {
    "order_unique_key": "my-order-1",
    "instrument": "NSE:RELIANCE",
    "side": "BUY",
    "total_quantity": 100,
    "split_config": _SPLIT,
    "order_type": "LIMIT",
    "limit_price": "2851.50",
    "slice_timeout_seconds": 300,
    "client_note": "rebalancing",
}
EXAMPLES: dict[str, Any] = {
    "NewOrder": NEW_ORDER_EXAMPLE,
    "StatedOrder": NEW_ORDER_EXAMPLE,
    "Amendment": {"total_quantity": 80, "end_at": "2026-11-23T07:10:00.000000Z"},
    "Accepted": ACCEPTED_EXAMPLE,
    "Order": _ORDER,
    "OrderSnapshot": _ORDER | {"last_event_id": 18},
    "OrderPage": {"orders": [_ORDER], "next_cursor": None, "last_event_id": 18},
    "Settlement": {"filled": 12, "price": "2850.05", "reason": "contract note of the day"},
    "Slice": _SLICE,
    "SliceList": {"slices": [_SLICE], "last_event_id": 18},
    "FillPage": {"fills": [_FILL], "next_cursor": None},
}
