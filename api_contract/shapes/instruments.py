"""The shapes of what can be traded, and of the loads of brokers' lists."""

import re
from typing import Any

from marshmallow import fields

from api_contract.fields import Instant, Limit, Price, Truth, WholeNumber, Word
from api_contract.order_rules import EXCHANGE
from api_contract.shapes.base import AnswerSchema, RequestSchema, cursor_field, matches, next_cursor_field, shown
from api_contract.vocabulary import InstrumentKind, LoadOutcome, OrderType, Product

_PREFIX = re.compile("[A-Z0-9&.-]{1,32}")
_BROKER = re.compile("[a-z0-9-]{1,20}")
_CAP = {"description": "null: no cap is known."}
_DAY = {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "description": "The last day of the contract; null: it has none."}


def _broker() -> fields.String:
    return fields.String(
        validate=matches(_BROKER, "Must be the name of a broker."),
        metadata=shown(_BROKER) | {"description": "Else that of orders that name no broker account."},
    )


class BrokerQuerySchema(RequestSchema):
    broker = _broker()


class InstrumentQuerySchema(BrokerQuerySchema):
    query = fields.String(
        validate=matches(_PREFIX, "Must be the beginning of a symbol."),
        metadata=shown(_PREFIX) | {"description": "How the symbol begins.", "example": "REL"},
    )
    exchange = fields.String(validate=matches(EXCHANGE, "Must be an exchange."), metadata=shown(EXCHANGE))
    limit = Limit(1, 200, load_default=50)
    cursor = cursor_field()


class InstrumentSchema(AnswerSchema):
    instrument = fields.String(required=True, metadata={"description": "As an order names it."})
    exchange = fields.String(required=True)
    symbol = fields.String(required=True)
    name = fields.String(
        required=True, metadata={"description": "Of the company; of a derivative, of what lies under it."}
    )
    kind = Word(InstrumentKind, required=True)
    lot_size = WholeNumber(required=True, metadata={"description": "Quantities are whole lots."})
    tick_size = Price(required=True, metadata={"description": "Limit prices are whole ticks.", "example": "0.05"})
    freeze_quantity = WholeNumber(required=True, allow_none=True, metadata=_CAP)
    max_slice_quantity = WholeNumber(
        required=True, allow_none=True, metadata={"description": "Most units of a slice, in whole lots; null: no cap."}
    )
    products = fields.List(Word(Product), required=True)
    order_types = fields.List(Word(OrderType), required=True)
    expires_on = fields.String(required=True, allow_none=True, metadata=_DAY)


class InstrumentPageSchema(AnswerSchema):
    broker = fields.String(required=True)
    loaded_at = Instant(
        required=True, allow_none=True, metadata={"description": "When the list came; null: none was ever loaded."}
    )
    instruments = fields.List(fields.Nested(InstrumentSchema), required=True)
    next_cursor = next_cursor_field()


class NewInstrumentLoadSchema(RequestSchema):
    broker = _broker()
    accept_smaller = Truth(
        load_default=False, metadata={"description": "Take the list even if it has shrunk by more than a tenth."}
    )


class InstrumentLoadSchema(AnswerSchema):
    load_id = WholeNumber(required=True, attribute="id")
    broker = fields.String(required=True)
    asked_by = fields.String(required=True, metadata={"description": "An account, an operator, or `pulse`."})
    asked_at = Instant(required=True)
    accept_smaller = Truth(required=True, attribute="accepts_smaller")
    begun_at = Instant(required=True, allow_none=True)
    ended_at = Instant(required=True, allow_none=True)
    outcome = Word(LoadOutcome, required=True, allow_none=True)
    listed = WholeNumber(required=True, allow_none=True, metadata={"description": "How many instruments."})
    skipped = WholeNumber(required=True, allow_none=True, metadata={"description": "How many lines could not be read."})
    reason = fields.String(required=True, allow_none=True, metadata={"description": "Why the list was not taken."})


class InstrumentLoadListSchema(AnswerSchema):
    instrument_loads = fields.List(fields.Nested(InstrumentLoadSchema), required=True)


BROKER_QUERY, INSTRUMENT_QUERY, NEW_LOAD = BrokerQuerySchema(), InstrumentQuerySchema(), NewInstrumentLoadSchema()
_INSTRUMENT: dict[str, Any] = {
    "instrument": "NFO:NIFTY26DECFUT",
    "exchange": "NFO",
    "symbol": "NIFTY26DECFUT",
    "name": "NIFTY",
    "kind": "FUTURE",
    "lot_size": 65,
    "tick_size": "0.1",
    "freeze_quantity": 1800,
    "max_slice_quantity": 1755,
    "products": ["MIS", "NRML"],
    "order_types": ["LIMIT", "MARKET"],
    "expires_on": "2026-12-29",
}
_LOAD: dict[str, Any] = {
    "load_id": 17,
    "broker": "zerodha",
    "asked_by": "pulse",
    "asked_at": "2026-11-27T03:00:01.000000Z",
    "accept_smaller": False,
    "begun_at": "2026-11-27T03:00:01.000000Z",
    "ended_at": "2026-11-27T03:00:09.000000Z",
    "outcome": "LOADED",
    "listed": 96_214,
    "skipped": 0,
    "reason": None,
}
EXAMPLES: dict[str, Any] = {
    "Instrument": _INSTRUMENT,
    "InstrumentPage": {
        "broker": "zerodha",
        "loaded_at": "2026-11-27T03:00:09.000000Z",
        "instruments": [_INSTRUMENT],
        "next_cursor": None,
    },
    "NewInstrumentLoad": {"broker": "zerodha"},
    "InstrumentLoad": _LOAD,
    "InstrumentLoadList": {"instrument_loads": [_LOAD]},
}
