"""What an installation trades, where, and within which limits."""

from typing import Any

from marshmallow import fields

from api_contract.fields import Truth, WholeNumber, Word
from api_contract.shapes.base import AnswerSchema
from api_contract.vocabulary import OrderType, Product

_UNLIMITED = "null: no limit."


class RangeSchema(AnswerSchema):
    min = WholeNumber(required=True)
    max = WholeNumber(required=True)


class InstallationLimitsSchema(AnswerSchema):
    total_quantity = fields.Nested(RangeSchema, required=True)
    num_splits = fields.Nested(RangeSchema, required=True)
    duration_minutes = fields.Nested(RangeSchema, required=True)
    slice_timeout_seconds = fields.Nested(RangeSchema, required=True)
    start_within_days = WholeNumber(required=True)
    broker_calls_per_second = WholeNumber(required=True, allow_none=True, metadata={"description": _UNLIMITED})
    broker_calls_per_minute = WholeNumber(required=True, allow_none=True, metadata={"description": _UNLIMITED})
    broker_calls_per_day = WholeNumber(required=True, allow_none=True, metadata={"description": _UNLIMITED})


class InstallationSchema(AnswerSchema):
    broker = fields.String(required=True, metadata={"example": "paper"})
    is_paper = Truth(required=True, metadata={"description": "true: no money moves."})
    exchanges = fields.List(fields.String(), required=True)
    products = fields.List(Word(Product), required=True)
    default_product = Word(Product, required=True)
    order_types = fields.List(Word(OrderType), required=True)
    limits = fields.Nested(InstallationLimitsSchema, required=True)
    time_zone = fields.String(required=True, metadata={"description": "That of the broker's days; instants are UTC."})
    version = fields.String(required=True, metadata={"description": "Of Pulse; that of the API is in this document."})


EXAMPLES: dict[str, Any] = {
    "Installation": {
        "broker": "paper",
        "is_paper": True,
        "exchanges": ["BSE", "NSE"],
        "products": ["CNC", "MIS", "NRML"],
        "default_product": "CNC",
        "order_types": ["MARKET", "LIMIT"],
        "limits": {
            "total_quantity": {"min": 1, "max": 1_000_000_000},
            "num_splits": {"min": 2, "max": 100},
            "duration_minutes": {"min": 1, "max": 1440},
            "slice_timeout_seconds": {"min": 1, "max": 3600},
            "start_within_days": 30,
            "broker_calls_per_second": 10,
            "broker_calls_per_minute": 400,
            "broker_calls_per_day": 5000,
        },
        "time_zone": "Asia/Kolkata",
        "version": "0.1.0",
    }
}
