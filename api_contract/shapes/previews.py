"""The shapes of previews: what an order would be and cost."""

from typing import Any

from marshmallow import fields

from api_contract.fields import Amount, Instant, Price, WholeNumber, Word
from api_contract.order_rules import BROKER_ACCOUNT, PLAN_TOKEN
from api_contract.shapes.base import AnswerSchema, shown
from api_contract.shapes.policies import PolicySchema
from api_contract.vocabulary import PlanWarning, Side

_NOT_TOLD = "null where the broker does not tell: `not_told` says why."


class PlannedSliceSchema(AnswerSchema):
    sequence_number = WholeNumber(required=True)
    scheduled_at = Instant(required=True)
    quantity = WholeNumber(required=True)


class PlanWarningSchema(AnswerSchema):
    code = Word(PlanWarning, required=True)
    message = fields.String(required=True, metadata={"description": "For a person."})
    details = fields.Dict(required=True, metadata={"description": "Its figures; which, depends on the code."})


class ChargesSchema(AnswerSchema):
    total = Amount(required=True)
    parts = fields.Dict(
        required=True,
        keys=fields.String(),
        values=Amount(),
        metadata={"description": "Taxes, fees and brokerage, by the broker's names for them."},
    )


class UntoldSchema(AnswerSchema):
    what = fields.String(required=True, metadata={"description": "The field that is null.", "example": "charges"})
    reason = fields.String(required=True, metadata={"description": "Why, in a sentence."})


class MoneySchema(AnswerSchema):
    """Of all slices together, as the broker reckons each by itself."""

    margin = Amount(required=True, allow_none=True, metadata={"description": f"What they block. {_NOT_TOLD}"})
    charges = fields.Nested(ChargesSchema, required=True, allow_none=True, metadata={"description": _NOT_TOLD})
    funds = Amount(required=True, allow_none=True, metadata={"description": f"Free in the account. {_NOT_TOLD}"})
    holdings = WholeNumber(
        required=True,
        allow_none=True,
        metadata={"description": f"Shares that the account can sell; for a sale of shares. Else null. {_NOT_TOLD}"},
    )
    promised = WholeNumber(
        required=True,
        allow_none=True,
        metadata={"description": "Of them, those that open orders of Pulse will sell; null without holdings."},
    )
    not_told = fields.List(fields.Nested(UntoldSchema), required=True)


class OrderPreviewSchema(AnswerSchema, PolicySchema):
    order_unique_key = fields.String(required=True)
    instrument = fields.String(required=True)
    side = Word(Side, required=True)
    total_quantity = WholeNumber(required=True)
    broker_account = fields.String(required=True, metadata=shown(BROKER_ACCOUNT))
    start_at = Instant(required=True, metadata={"description": "When the window opens."})
    end_at = Instant(required=True, metadata={"description": "When the window closes."})
    slices = fields.List(fields.Nested(PlannedSliceSchema), required=True)
    warnings = fields.List(fields.Nested(PlanWarningSchema), required=True)
    currency = fields.String(required=True, allow_none=True)
    price = Price(
        required=True, allow_none=True, metadata={"description": "The limit price, else the last one, if it is known."}
    )
    worth = Amount(required=True, allow_none=True, metadata={"description": "Quantity times price."})
    money = fields.Nested(MoneySchema, required=True)
    plan_token = fields.String(required=True, metadata=shown(PLAN_TOKEN))
    expires_at = Instant(required=True, metadata={"description": "Until when the token is good."})


EXAMPLES: dict[str, Any] = {
    "OrderPreview": {
        "order_unique_key": "my-order-1",
        "instrument": "NSE:RELIANCE",
        "side": "BUY",
        "total_quantity": 100,
        "broker_account": "paper",
        "catch_up": "spread",
        "max_slice_multiple": 3,
        "extend_minutes": 0,
        "leftover": "catch_up",
        "at_end": "leave",
        "start_at": "2026-11-23T06:25:06.100000Z",
        "end_at": "2026-11-23T07:25:06.100000Z",
        "slices": [
            {"sequence_number": 1, "scheduled_at": "2026-11-23T06:25:06.100000Z", "quantity": 52},
            {"sequence_number": 2, "scheduled_at": "2026-11-23T07:25:06.100000Z", "quantity": 48},
        ],
        "warnings": [
            {
                "code": "FUNDS_SHORT",
                "message": "the order needs a margin of 285150.00, and the account has 20000.00",
                "details": {"margin": "285150.00", "funds": "20000.00"},
            }
        ],
        "currency": "INR",
        "price": "2851.50",
        "worth": "285150.00",
        "money": {
            "margin": "285150.00",
            "charges": {"total": "337.93", "parts": {"transaction_tax": "285.15", "stamp_duty": "42.77"}},
            "funds": "20000.00",
            "holdings": None,
            "promised": None,
            "not_told": [],
        },
        "plan_token": "TXVjaCB0aGF0IG5vYm9keSByZWFkcw==",
        "expires_at": "2026-11-23T06:30:06.100000Z",
    }
}
