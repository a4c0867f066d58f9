"""The shapes of what an account may do at most."""

from typing import Any

from marshmallow import Schema, fields, post_load, validate

from api_contract.fields import Instant, Price, WholeNumber, Word
from api_contract.order_rules import BROKER_ACCOUNT
from api_contract.risk_rules import (
    MOST_INSTRUMENTS,
    MOST_OPEN_ORDERS,
    MOST_ORDERS_PER_MINUTE,
    MOST_UNITS,
    LimitName,
    RiskLimits,
)
from api_contract.shapes.base import AN_ACCOUNT, AnswerSchema, RequestSchema, matches, shown
from api_contract.vocabulary import Product

_BROKER_ACCOUNT = shown(BROKER_ACCOUNT) | {"example": "paper"}
_PERCENT = {"description": "In percent.", "example": "5"}


def _whole(most: int, text: str) -> WholeNumber:
    shown_as = {"minimum": 1, "maximum": most, "description": text}
    return WholeNumber(load_default=None, allow_none=True, metadata=shown_as)


def _decimal(text: str) -> Price:
    return Price(load_default=None, allow_none=True, metadata={"description": text, "example": "5"})


class _LimitsSchema(Schema):
    """Each null where nothing is limited."""

    order_quantity = _whole(MOST_UNITS, "Units of an order.")
    order_worth = _decimal("What an order may be worth, in the currency of its instrument.")
    day_quantity = _whole(MOST_UNITS, "Units of all orders that begin on a day of the broker.")
    day_worth = _decimal("What those may be worth.")
    open_orders = _whole(MOST_OPEN_ORDERS, "Orders that are open at once.")
    orders_per_minute = _whole(MOST_ORDERS_PER_MINUTE, "Orders placed within a minute.")
    price_collar_percent = _decimal("How far a limit price may lie from the last price.")
    volume_share_percent = _decimal("How much of a usual day's volume an order may be, where that is known.")
    instruments = fields.List(
        fields.String(metadata={"example": "NSE:RELIANCE"}),
        load_default=None,
        allow_none=True,
        metadata={"maxItems": MOST_INSTRUMENTS, "description": "The only ones that may be traded."},
    )
    products = fields.List(
        Word(Product), load_default=None, allow_none=True, metadata={"description": "The only ones that may be used."}
    )


class NewRiskLimitsSchema(_LimitsSchema, RequestSchema):
    """All limits of an account at once: one that is left out, or null, is the installation's again."""

    @post_load
    def as_limits(self, stated: dict[str, Any], **_: Any) -> RiskLimits:
        return RiskLimits(**stated)


class RiskLimitsSchema(_LimitsSchema, AnswerSchema):
    pass


class LimitsUsedSchema(AnswerSchema):
    day_quantity = WholeNumber(required=True)
    day_worth = Price(required=True)
    open_orders = WholeNumber(required=True)
    orders_per_minute = WholeNumber(required=True, metadata={"description": "Within the last minute."})


class LimitsLeftSchema(AnswerSchema):
    """Each null where nothing is limited."""

    day_quantity = WholeNumber(required=True, allow_none=True)
    day_worth = Price(required=True, allow_none=True)
    open_orders = WholeNumber(required=True, allow_none=True)
    orders_per_minute = WholeNumber(required=True, allow_none=True)


class NotEnforcedSchema(AnswerSchema):
    limit = Word(LimitName, required=True)
    reason = fields.String(required=True, metadata={"description": "For a person."})


class AccountLimitsSchema(AnswerSchema):
    account_id = fields.String(required=True)
    broker_account = fields.String(required=True, metadata=_BROKER_ACCOUNT)
    day_ends_at = Instant(required=True, metadata={"description": "When the broker's next day begins."})
    own = fields.Nested(RiskLimitsSchema, required=True, metadata={"description": "What was set for the account."})
    in_force = fields.Nested(
        RiskLimitsSchema, required=True, metadata={"description": "What holds, with what the installation says."}
    )
    used = fields.Nested(LimitsUsedSchema, required=True)
    left = fields.Nested(LimitsLeftSchema, required=True)
    not_enforced = fields.List(
        fields.Nested(NotEnforcedSchema), required=True, metadata={"description": "What cannot be checked here."}
    )


class LimitsQuerySchema(RequestSchema):
    broker_account = fields.String(
        validate=[validate.Length(2, 20), matches(BROKER_ACCOUNT, "Must be the name of a broker account.")],
        metadata={**_BROKER_ACCOUNT, "description": "Where it is traded; else the installation's account."},
    )


NEW_RISK_LIMITS, LIMITS_QUERY = NewRiskLimitsSchema(), LimitsQuerySchema()

_NONE: dict[str, Any] = {
    "order_quantity": None,
    "order_worth": None,
    "day_quantity": None,
    "day_worth": None,
    "open_orders": None,
    "orders_per_minute": None,
    "price_collar_percent": None,
    "volume_share_percent": None,
    "instruments": None,
    "products": None,
}
_OWN = {**_NONE, "order_quantity": 5000, "day_worth": "5000000", "price_collar_percent": "5"}
_USED = {"day_quantity": 900, "day_worth": "1282500.00", "open_orders": 2, "orders_per_minute": 1}
_LEFT = {"day_quantity": None, "day_worth": "3717500.00", "open_orders": 998, "orders_per_minute": None}
EXAMPLES: dict[str, Any] = {
    "NewRiskLimits": {"order_quantity": 5000, "day_worth": "5000000", "price_collar_percent": "5"},
    "AccountLimits": {
        "account_id": AN_ACCOUNT,
        "broker_account": "paper",
        "day_ends_at": "2026-11-23T18:30:00.000000Z",
        "own": _OWN,
        "in_force": {**_OWN, "open_orders": 1000},
        "used": _USED,
        "left": _LEFT,
        "not_enforced": [],
    },
}
