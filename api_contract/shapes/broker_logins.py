"""The shapes of logins at brokers. None of them ever holds a secret, but the request token that a person brings."""

import re
from typing import Any

from marshmallow import fields, validate

from api_contract.fields import Instant, Truth, Word
from api_contract.shapes.base import AnswerSchema, RequestSchema, matches
from api_contract.vocabulary import BrokerAccountState

LONGEST_REQUEST_TOKEN = 512
_REQUEST_TOKEN = re.compile(f"[ -~]{{1,{LONGEST_REQUEST_TOKEN}}}")
_BROKER_USER = re.compile("[A-Za-z0-9._-]{1,64}")


class LoginAddressSchema(AnswerSchema):
    address = fields.String(
        required=True, metadata={"description": "The broker's page on which a person logs in; no secret."}
    )


class BrokerLoginSchema(RequestSchema):
    request_token = fields.String(
        required=True,
        validate=[
            validate.Length(1, LONGEST_REQUEST_TOKEN),
            matches(_REQUEST_TOKEN, "Must be what the broker's page hands out: printable ASCII."),
        ],
        metadata={"description": "From the address that the broker's page leads to. Works once, and for minutes."},
    )
    user = fields.String(
        validate=matches(_BROKER_USER, "Must be a user of the broker."),
        metadata={"description": "The broker's user whose account it is; needed at the first login."},
    )


class BrokerStatusSchema(AnswerSchema):
    name = fields.String(required=True, metadata={"example": "zerodha"})
    broker = fields.String(required=True, metadata={"example": "zerodha"})
    is_live = Truth(required=True, metadata={"description": "true: money moves."})
    state = Word(BrokerAccountState, required=True)
    reason = fields.String(required=True, allow_none=True, metadata={"description": "For a person."})
    state_since = Instant(required=True)
    is_logged_in = Truth(required=True, metadata={"description": "Whether there is a token; it may have ended."})
    broker_user = fields.String(required=True, allow_none=True)
    valid_until = Instant(required=True, allow_none=True, metadata={"description": "null: not known."})


BROKER_LOGIN = BrokerLoginSchema()

EXAMPLES: dict[str, Any] = {
    "LoginAddress": {"address": "https://kite.zerodha.com/connect/login?api_key=k3y&v=3"},
    "BrokerLogin": {"request_token": "Qe3aYc0bLk8Xv5Tn1Zp7Rm2Ws9Ud4Hf6", "user": "AB1234"},
    "BrokerStatus": {
        "name": "zerodha",
        "broker": "zerodha",
        "is_live": True,
        "state": "READY",
        "reason": None,
        "state_since": "2026-11-27T03:05:00.000000Z",
        "is_logged_in": True,
        "broker_user": "AB1234",
        "valid_until": "2026-11-28T00:30:00.000000Z",
    },
}
