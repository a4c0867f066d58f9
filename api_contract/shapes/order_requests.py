"""The shapes of what is asked of orders: types and names here, the rules for values in `order_rules`."""

import re
from typing import Any

from marshmallow import Schema, ValidationError, fields, post_dump, post_load, validate

from api_contract.fields import EventId, Flag, Instant, Limit, Price, Truth, WholeNumber, Word, Words
from api_contract.ids import ACCOUNT_ID, ORDER_ID
from api_contract.order_rules import (
    BROKER_ACCOUNT,
    LONGEST_NOTE,
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
    RequestSchema,
    cursor_field,
    matches,
    shown,
)
from api_contract.shapes.policies import PolicySchema, StatedPolicySchema
from api_contract.vocabulary import (
    CatchUp,
    OrderStatus,
    OrderType,
    Product,
    SessionRule,
    Side,
    WorkingSlices,
)

LONGEST_SEARCH = 64
_ANY_INSTRUMENT = re.compile("[A-Z]{1,16}:[A-Z0-9&.-]{1,32}")


SHOWN_INSTRUMENT = shown(_ANY_INSTRUMENT) | {"example": "NSE:RELIANCE"}


SHOWN_BROKER_ACCOUNT = shown(BROKER_ACCOUNT) | {"example": "paper"}


SHOWN_UNIQUE_KEY = {"pattern": "^[ -~]{1,64}$", "example": "my-order-1"}


SHOWN_ACCOUNT_ID, SHOWN_ORDER_ID = shown(ACCOUNT_ID), shown(ORDER_ID)


CHANGED_AFTER = {"description": "What has changed after this event: the `last_event_id` of a reading before."}


def side_field(**options: Any) -> Word:
    return Word(Side, "Must be BUY or SELL.", **options)


WINDOW_MINUTES = {"minimum": MIN_MINUTES, "maximum": MAX_MINUTES, "example": 60}


class SplitConfigSchema(RequestSchema):
    num_splits = WholeNumber(required=True, metadata={"minimum": MIN_SPLITS, "maximum": MAX_SPLITS, "example": 5})
    duration_minutes = WholeNumber(
        load_default=None,
        allow_none=True,
        metadata={**WINDOW_MINUTES, "description": "Needed without until_close."},
    )
    randomize = Truth(load_default=True)
    until_close = Truth(
        load_default=False,
        metadata={"description": "The window ends when its market closes, in place of a length of minutes."},
    )


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

    order_unique_key = fields.String(required=True, metadata=SHOWN_UNIQUE_KEY)
    instrument = fields.String(required=True, metadata=SHOWN_INSTRUMENT)
    side = side_field(required=True)
    total_quantity = WholeNumber(required=True, metadata={"minimum": 1, "maximum": MAX_QUANTITY, "example": 100})
    split_config = fields.Nested(SplitConfigSchema, required=True)
    broker_account = fields.String(
        load_default=None,
        allow_none=True,
        metadata={**SHOWN_BROKER_ACCOUNT, "description": "Where it is traded; else the installation's account."},
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


def _is_a_text_to_look_for(text: str) -> None:
    if not 1 <= len(text) <= LONGEST_SEARCH or not text.isprintable():
        raise ValidationError(f"Must be 1 to {LONGEST_SEARCH} printable characters.")


class OrderQuerySchema(RequestSchema):
    account_id = fields.String(
        validate=matches(ACCOUNT_ID, "Must be an account_id."),
        metadata={**SHOWN_ACCOUNT_ID, "description": "Of another account: for operators and admins."},
    )
    status = Words(OrderStatus, metadata={"description": "One or more, separated by commas."})
    order_unique_key = fields.String(
        validate=matches(UNIQUE_KEY, "Must be 1 to 64 printable ASCII characters."), metadata=SHOWN_UNIQUE_KEY
    )
    instrument = fields.String(validate=matches(_ANY_INSTRUMENT, "Must be EXCHANGE:SYMBOL."), metadata=SHOWN_INSTRUMENT)
    broker_account = fields.String(
        validate=matches(BROKER_ACCOUNT, "Must be the name of a broker account."), metadata=SHOWN_BROKER_ACCOUNT
    )
    side = side_field()
    created_from = Instant(metadata={"description": "Inclusive."})
    created_to = Instant(metadata={"description": "Exclusive."})
    attention = Flag(metadata={"description": "true: somebody should look; false: nobody needs to."})
    changed_after = EventId(metadata=CHANGED_AFTER)
    search = fields.String(
        validate=_is_a_text_to_look_for,
        metadata={
            "minLength": 1,
            "maxLength": LONGEST_SEARCH,
            "description": "Printable text that is in its instrument, key, note or id, in letters of any case.",
        },
    )
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
        metadata={**SHOWN_ACCOUNT_ID, "description": "Of another account: for operators and admins."},
    )


class KeyQuerySchema(KeyOwnerQuerySchema):
    order_unique_key = fields.String(
        required=True,
        validate=matches(UNIQUE_KEY, "Must be 1 to 64 printable ASCII characters."),
        metadata=SHOWN_UNIQUE_KEY,
    )


class PauseQuerySchema(RequestSchema):
    working = Word(
        WorkingSlices,
        "Must be keep or cancel.",
        load_default=WorkingSlices.KEEP,
        metadata={"description": "Of slices that work at the broker: keep them there, or cancel them."},
    )


class ResumeQuerySchema(RequestSchema):
    catch_up = Word(
        CatchUp,
        "Must be spread, next_slice, burst or skip.",
        metadata={"description": "In place of the order's own, for this once."},
    )


NEW_ORDER, STATED_ORDER = NewOrderSchema(), StatedOrderSchema()


ORDER_QUERY, KEY_OWNER_QUERY, KEY_QUERY = OrderQuerySchema(), KeyOwnerQuerySchema(), KeyQuerySchema()


AMENDMENT = AmendmentSchema()


PAUSE_QUERY, RESUME_QUERY = PauseQuerySchema(), ResumeQuerySchema()


SPLIT_EXAMPLE = {"num_splits": 5, "duration_minutes": 60, "randomize": True, "until_close": False}


NEW_ORDER_EXAMPLE = {
    "order_unique_key": "my-order-1",
    "instrument": "NSE:RELIANCE",
    "side": "BUY",
    "total_quantity": 100,
    "split_config": SPLIT_EXAMPLE,
    "order_type": "LIMIT",
    "limit_price": "2851.50",
    "slice_timeout_seconds": 300,
    "client_note": "rebalancing",
}


EXAMPLES: dict[str, Any] = {
    "NewOrder": NEW_ORDER_EXAMPLE,
    "StatedOrder": NEW_ORDER_EXAMPLE,
    "Amendment": {"total_quantity": 80, "end_at": "2026-11-23T07:10:00.000000Z"},
}
