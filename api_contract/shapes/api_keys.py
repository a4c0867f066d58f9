"""The shapes of API keys."""

from typing import Any

from marshmallow import ValidationError, fields, validate

from api_contract.account_rules import LONGEST_KEY_LIFE_DAYS, MOST_NETWORKS, network
from api_contract.fields import Instant, WholeNumber, Word
from api_contract.ids import ACCOUNT_ID, KEY_ID
from api_contract.scopes import Scope
from api_contract.shapes.base import A_KEY, AN_ACCOUNT, AnswerSchema, RequestSchema, matches, next_cursor_field, shown
from api_contract.shapes.proof import AGAIN, WithProofSchema
from api_contract.shapes.users import PageQuerySchema

MOST_SCOPES = 10
NETWORKS = {"description": "Where the key may be used from; empty: anywhere.", "example": ["203.0.113.0/24"]}
_ACCOUNT_ID, _KEY_ID = shown(ACCOUNT_ID), shown(KEY_ID)
_SCOPES = {"example": ["orders:read", "orders:write"]}


def scopes_shown() -> fields.List[Any]:
    """The field of scopes in an answer."""
    known = fields.String(validate=validate.OneOf([scope.value for scope in Scope]))
    return fields.List(known, required=True, metadata=_SCOPES)


def networks_shown() -> fields.List[Any]:
    """The field of a key's networks in an answer."""
    return fields.List(fields.String(), required=True, metadata=NETWORKS)


def _a_network(text: str) -> None:
    try:
        network(text)
    except ValueError:
        raise ValidationError("Must be an address, or a network like 203.0.113.0/24 without host bits.") from None


def _few(scopes: list[Scope]) -> None:
    if len(scopes) > MOST_SCOPES:
        raise ValidationError(f"Length must be between 0 and {MOST_SCOPES}.")


class KeyQuerySchema(PageQuerySchema):
    account_id = fields.String(validate=matches(ACCOUNT_ID, "Must be an account_id."), metadata=_ACCOUNT_ID)


class NewKeySchema(WithProofSchema, RequestSchema):
    name = fields.String(required=True, validate=validate.Length(1, 64), metadata={"example": "rebalancer"})
    scopes = fields.List(Word(Scope), required=True, validate=_few, metadata=_SCOPES)
    expires_in_days = WholeNumber(load_default=90, metadata={"minimum": 1, "maximum": LONGEST_KEY_LIFE_DAYS})
    networks = fields.List(
        fields.String(validate=[validate.Length(2, 43), _a_network]),
        load_default=list,
        validate=validate.Length(0, MOST_NETWORKS),
        metadata=NETWORKS,
    )
    password = fields.String(load_default=None, validate=validate.Length(1, 256), metadata=AGAIN)


class KeySchema(AnswerSchema):
    key_id = fields.String(required=True, attribute="id", metadata=_KEY_ID)
    account_id = fields.String(required=True, metadata=_ACCOUNT_ID)
    name = fields.String(required=True)
    scopes = scopes_shown()
    networks = networks_shown()
    created_at = Instant(required=True)
    expires_at = Instant(required=True)
    last_used_at = Instant(required=True, allow_none=True, metadata={"description": "To the minute."})
    revoked_at = Instant(required=True, allow_none=True)


class MadeKeySchema(KeySchema):
    api_key = fields.String(required=True, metadata={"description": "The key itself, shown this once."})


class KeyListSchema(AnswerSchema):
    keys = fields.List(fields.Nested(KeySchema), required=True)
    next_cursor = next_cursor_field()


KEY_QUERY, NEW_KEY = KeyQuerySchema(), NewKeySchema()

KEY_TEXT_EXAMPLE = f"pk_{A_KEY[4:]}_Zk3v9QdW1xR7bT5nM2cF8hJ4gL6pS0aYeUiOwXqVa1B2c3"
_KEY = {
    "key_id": A_KEY,
    "account_id": AN_ACCOUNT,
    "name": "rebalancer",
    "scopes": ["orders:read", "orders:write"],
    "networks": [],
    "created_at": "2026-11-23T06:30:00.000000Z",
    "expires_at": "2027-02-21T06:30:00.000000Z",
    "last_used_at": None,
    "revoked_at": None,
}
EXAMPLES: dict[str, Any] = {
    "NewKey": {
        "name": "rebalancer",
        "scopes": ["orders:read", "orders:write"],
        "expires_in_days": 90,
        "networks": ["203.0.113.0/24"],
        "password": "a password of hers",
    },
    "Key": _KEY,
    "KeyList": {"keys": [_KEY], "next_cursor": None},
    "MadeKey": _KEY | {"api_key": KEY_TEXT_EXAMPLE},
}
