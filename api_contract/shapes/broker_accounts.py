"""The shapes of broker accounts, and of the grants to trade with them."""

from typing import Any

from marshmallow import fields

from api_contract.fields import Instant, Truth, Word
from api_contract.ids import ACCOUNT_ID
from api_contract.order_rules import BROKER_ACCOUNT
from api_contract.shapes.base import AN_ACCOUNT, AnswerSchema, RequestSchema, shown
from api_contract.vocabulary import BrokerAccountState

_NAME = shown(BROKER_ACCOUNT) | {"example": "zerodha"}


class BrokerAccountSchema(AnswerSchema):
    name = fields.String(required=True, metadata=_NAME)
    broker = fields.String(required=True, metadata={"example": "zerodha"})
    is_live = Truth(required=True, metadata={"description": "true: real money, and a grant is needed."})
    is_default = Truth(required=True, metadata={"description": "true: that of orders that name none."})
    state = Word(BrokerAccountState, required=True)
    reason = fields.String(required=True, allow_none=True)
    state_since = Instant(required=True)


class BrokerAccountListSchema(AnswerSchema):
    broker_accounts = fields.List(fields.Nested(BrokerAccountSchema), required=True)


class NewBrokerAccountSchema(RequestSchema):
    name = fields.String(required=True, metadata={**_NAME, "description": "It never changes."})
    broker = fields.String(required=True, metadata={"example": "zerodha"})


class GrantSchema(AnswerSchema):
    account_id = fields.String(required=True, metadata=shown(ACCOUNT_ID))
    username = fields.String(required=True)
    granted_by = fields.String(required=True, metadata={"description": "An account_id, `terminal` or `pulse`."})
    granted_at = Instant(required=True)


class GrantListSchema(AnswerSchema):
    broker_account = fields.String(required=True, metadata=_NAME)
    grants = fields.List(fields.Nested(GrantSchema), required=True)


NEW_BROKER_ACCOUNT = NewBrokerAccountSchema()
_ACCOUNT = {
    "name": "zerodha",
    "broker": "zerodha",
    "is_live": True,
    "is_default": False,
    "state": "READY",
    "reason": None,
    "state_since": "2026-11-23T03:31:12.000000Z",
}
_GRANT = {
    "account_id": AN_ACCOUNT,
    "username": "meera",
    "granted_by": AN_ACCOUNT,
    "granted_at": "2026-11-23T03:40:00.000000Z",
}
EXAMPLES: dict[str, Any] = {
    "BrokerAccount": _ACCOUNT,
    "BrokerAccountList": {"broker_accounts": [_ACCOUNT]},
    "NewBrokerAccount": {"name": "zerodha", "broker": "zerodha"},
    "GrantList": {"broker_account": "zerodha", "grants": [_GRANT]},
}
