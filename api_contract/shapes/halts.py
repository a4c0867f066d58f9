"""The shapes of halts, and of what they have done."""

import re
from typing import Any

from marshmallow import fields, validate

from api_contract.fields import Flag, Instant, Limit, Truth, WholeNumber, Word
from api_contract.ids import ACCOUNT_ID, HALT_ID, ORDER_ID, SLICE_ID
from api_contract.order_rules import BROKER_ACCOUNT, LONGEST_REASON
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
from api_contract.vocabulary import HaltedState, HaltedWorking, HaltStatus

_ANY_INSTRUMENT = re.compile("[A-Z]{1,16}:[A-Z0-9&.-]{1,32}")
A_HALT = "halt_01M83HK5Z6A7B8C9D0E1F2G3H4"
_ACCOUNT_ID = shown(ACCOUNT_ID)
_BROKER_ACCOUNT = shown(BROKER_ACCOUNT) | {"example": "paper"}
_INSTRUMENT = shown(_ANY_INSTRUMENT) | {"example": "NSE:RELIANCE"}
_WHO = "An account, or an operator at a terminal."
_SHARED = "Without any of the three, everything is halted; a trader's own orders alone, whatever is named."


class NewHaltSchema(RequestSchema):
    account_id = fields.String(
        validate=matches(ACCOUNT_ID, "Must be an account_id."),
        metadata={**_ACCOUNT_ID, "description": f"Orders of this account. {_SHARED}"},
    )
    broker_account = fields.String(
        validate=matches(BROKER_ACCOUNT, "Must be the name of a broker account."),
        metadata={**_BROKER_ACCOUNT, "description": "Orders for this broker account."},
    )
    instrument = fields.String(
        validate=matches(_ANY_INSTRUMENT, "Must be EXCHANGE:SYMBOL."),
        metadata={**_INSTRUMENT, "description": "Orders of this instrument."},
    )
    working = Word(
        HaltedWorking,
        load_default=HaltedWorking.CANCEL,
        metadata={"description": "What becomes of slices that work at the broker."},
    )
    reason = fields.String(
        required=True,
        validate=validate.Length(1, LONGEST_REASON),
        metadata={"description": "Printable characters, which everybody sees whose orders are held."},
    )


class HaltQuerySchema(RequestSchema):
    in_force = Flag(metadata={"description": "`true`: those that are not released; `false`: those that are."})
    limit = Limit(1, 100, load_default=20)
    cursor = cursor_field()


class HaltedSliceQuerySchema(RequestSchema):
    state = Word(HaltedState, metadata={"description": "Without it, all but those that are unsent."})
    limit = Limit(1, 500, load_default=100)
    cursor = cursor_field()


class HaltedShareSchema(AnswerSchema):
    count = WholeNumber(required=True)
    leaves_quantity = WholeNumber(required=True, metadata={"description": "What they lack."})
    filled_meanwhile = WholeNumber(required=True, metadata={"description": "Filled since the halt began."})


class HaltSchema(AnswerSchema):
    halt_id = fields.String(required=True, metadata=shown(HALT_ID))
    account_id = fields.String(required=True, allow_none=True, metadata={"description": "null: of every account."})
    account_name = fields.String(
        required=True, allow_none=True, metadata={"description": "The username of that account."}
    )
    broker_account = fields.String(required=True, allow_none=True, metadata={"description": "null: for every one."})
    instrument = fields.String(required=True, allow_none=True, metadata={"description": "null: of every one."})
    working = Word(HaltedWorking, required=True)
    reason = fields.String(required=True)
    status = Word(HaltStatus, required=True)
    made_by = fields.String(required=True, metadata={"description": _WHO})
    made_by_name = fields.String(
        required=True, metadata={"description": "The username of that account; of an operator at a terminal `made_by`."}
    )
    made_at = Instant(required=True, metadata={"description": "A second later nothing new reaches the broker."})
    release_asked_by = fields.String(required=True, allow_none=True, metadata={"description": _WHO})
    release_asked_at = Instant(required=True, allow_none=True)
    released_at = Instant(required=True, allow_none=True)
    is_quiet = Truth(
        required=True,
        metadata={"description": "Nothing that it covers works at the broker, or may, but what is kept there."},
    )
    quiet_at = Instant(required=True, allow_none=True)
    quiet_after_ms = WholeNumber(required=True, allow_none=True, metadata={"description": "From `made_at` on."})
    slices = fields.Dict(
        required=True,
        keys=Word(HaltedState),
        values=fields.Nested(HaltedShareSchema),
        metadata={"description": "What it covers, by state, as it is now."},
    )


class HaltPageSchema(AnswerSchema):
    halts = fields.List(fields.Nested(HaltSchema), required=True)
    next_cursor = next_cursor_field()


class HaltedSliceSchema(AnswerSchema):
    slice_id = fields.String(required=True, metadata=shown(SLICE_ID))
    order_id = fields.String(required=True, metadata=shown(ORDER_ID))
    account_id = fields.String(required=True, metadata=_ACCOUNT_ID)
    sequence_number = WholeNumber(required=True)
    instrument = fields.String(required=True, metadata=_INSTRUMENT)
    state = Word(HaltedState, required=True)
    quantity = WholeNumber(required=True, metadata={"description": "What was asked of the broker, or will be."})
    filled_quantity = WholeNumber(required=True)
    filled_meanwhile = WholeNumber(required=True, metadata={"description": "Of that, since the halt began."})
    broker_order_id = fields.String(required=True, allow_none=True)


class HaltedSlicePageSchema(AnswerSchema):
    slices = fields.List(fields.Nested(HaltedSliceSchema), required=True)
    next_cursor = next_cursor_field()


NEW_HALT, HALT_QUERY, HALTED_SLICE_QUERY = NewHaltSchema(), HaltQuerySchema(), HaltedSliceQuerySchema()

_NOTHING = {"count": 0, "leaves_quantity": 0, "filled_meanwhile": 0}
_HALT = {
    "halt_id": A_HALT,
    "account_id": None,
    "account_name": None,
    "broker_account": "paper",
    "instrument": None,
    "working": "cancel",
    "reason": "prices make no sense",
    "status": "ACTIVE",
    "made_by": AN_ACCOUNT,
    "made_by_name": "asha",
    "made_at": "2026-11-23T06:40:20.733000Z",
    "release_asked_by": None,
    "release_asked_at": None,
    "released_at": None,
    "is_quiet": True,
    "quiet_at": "2026-11-23T06:40:25.116000Z",
    "quiet_after_ms": 4383,
    "slices": {
        "WORKING": _NOTHING,
        "UNKNOWN": _NOTHING,
        "CANCELLED": {"count": 31, "leaves_quantity": 2950, "filled_meanwhile": 150},
        "FILLED": {"count": 1, "leaves_quantity": 0, "filled_meanwhile": 100},
        "NOT_PLACED": _NOTHING,
        "UNSENT": {"count": 128, "leaves_quantity": 12800, "filled_meanwhile": 0},
    },
}
_SLICE = {
    "slice_id": A_SLICE,
    "order_id": AN_ORDER,
    "account_id": AN_ACCOUNT,
    "sequence_number": 3,
    "instrument": "NSE:RELIANCE",
    "state": "CANCELLED",
    "quantity": 100,
    "filled_quantity": 40,
    "filled_meanwhile": 15,
    "broker_order_id": "2611232308200000002",
}
EXAMPLES: dict[str, Any] = {
    "NewHalt": {"broker_account": "paper", "reason": "prices make no sense"},
    "Halt": _HALT,
    "HaltPage": {"halts": [_HALT], "next_cursor": None},
    "HaltedSlicePage": {"slices": [_SLICE], "next_cursor": None},
}
