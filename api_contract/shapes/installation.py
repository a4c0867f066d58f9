"""What an installation trades, where, and within which limits."""

import re
from typing import Any

from marshmallow import fields

from api_contract.fields import Instant, Truth, WholeNumber, Word
from api_contract.shapes.base import AnswerSchema, RequestSchema, matches
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
    broker_account = fields.String(
        required=True, metadata={"description": "That of orders that name none.", "example": "paper"}
    )
    broker = fields.String(required=True, metadata={"description": "Where that account is.", "example": "paper"})
    is_paper = Truth(required=True, metadata={"description": "true: no money moves."})
    exchanges = fields.List(fields.String(), required=True)
    products = fields.List(Word(Product), required=True)
    default_product = Word(Product, required=True)
    order_types = fields.List(Word(OrderType), required=True)
    limits = fields.Nested(InstallationLimitsSchema, required=True)
    time_zone = fields.String(required=True, metadata={"description": "That of the broker's days; instants are UTC."})
    version = fields.String(required=True, metadata={"description": "Of Pulse; that of the API is in this document."})


_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


class MarketQuerySchema(RequestSchema):
    day = fields.String(
        validate=matches(_DAY, "Must be a day like 2026-11-30."),
        metadata={"description": "By the date of the exchange; today without it.", "example": "2026-11-30"},
    )


class StretchSchema(AnswerSchema):
    start = Instant(required=True)
    end = Instant(required=True, metadata={"description": "From then on nothing is taken."})


class PhaseSchema(AnswerSchema):
    name = fields.String(required=True, metadata={"example": "continuous"})
    opens_at = Instant(required=True)
    closes_at = Instant(required=True)
    takes = fields.List(Word(OrderType), required=True, metadata={"description": "The order types that may be sent."})


class MarketSchema(AnswerSchema):
    """A day of an exchange, and the next session from now on."""

    exchange = fields.String(required=True, metadata={"example": "NSE"})
    time_zone = fields.String(required=True, metadata={"description": "That of its days; instants are UTC."})
    day = fields.String(required=True, metadata={"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})
    day_name = fields.String(
        required=True, allow_none=True, metadata={"description": "Why it is not as its weekday has it."}
    )
    is_override = Truth(required=True, metadata={"description": "true: an operator has stated the day."})
    is_kept = Truth(
        required=True, metadata={"description": "false: this installation sends orders round the clock all the same."}
    )
    phases = fields.List(fields.Nested(PhaseSchema), required=True, metadata={"description": "None: it is closed."})
    cut_offs = fields.Dict(
        required=True,
        keys=Word(Product),
        values=Instant(),
        metadata={"description": "Until when slices of a product are sent."},
    )
    next_session = fields.Nested(StretchSchema, required=True, allow_none=True)
    valid_until = fields.String(required=True, metadata={"description": "The last day that is known."})


MARKET_QUERY = MarketQuerySchema()
EXAMPLES: dict[str, Any] = {
    "Installation": {
        "broker_account": "paper",
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
    },
    "Market": {
        "exchange": "NSE",
        "time_zone": "Asia/Kolkata",
        "day": "2026-11-27",
        "day_name": None,
        "is_override": False,
        "is_kept": True,
        "phases": [
            {
                "name": "continuous",
                "opens_at": "2026-11-27T03:45:00.000000Z",
                "closes_at": "2026-11-27T09:45:00.000000Z",
                "takes": ["LIMIT", "MARKET"],
            }
        ],
        "cut_offs": {"MIS": "2026-11-27T09:45:00.000000Z"},
        "next_session": {"start": "2026-11-30T03:45:00.000000Z", "end": "2026-11-30T09:45:00.000000Z"},
        "valid_until": "2026-12-31",
    },
}
