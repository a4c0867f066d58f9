"""The shapes of logins, and of what an account is told of itself."""

from typing import Any

from marshmallow import fields, validate

from api_contract.fields import Instant, Truth, WholeNumber
from api_contract.ids import ACCOUNT_ID
from api_contract.shapes.api_keys import scopes_shown
from api_contract.shapes.base import AN_ACCOUNT, AnswerSchema, RequestSchema, shown
from api_contract.shapes.proof import WORD, WithProofSchema
from api_contract.shapes.users import role_field

_ACCOUNT_ID = shown(ACCOUNT_ID)


class LoginSchema(WithProofSchema, RequestSchema):
    username = fields.String(required=True, validate=validate.Length(1, 64))
    password = fields.String(required=True, validate=validate.Length(1, 256), metadata=WORD)


class RefreshSchema(RequestSchema):
    refresh_token = fields.String(required=True, validate=validate.Length(1, 100), metadata=WORD)


class PasswordSchema(WithProofSchema, RequestSchema):
    current_password = fields.String(required=True, validate=validate.Length(1, 256), metadata=WORD)
    new_password = fields.String(
        required=True,
        validate=validate.Length(1, 256),
        metadata={**WORD, "description": "12 to 128 characters, and not easily guessed."},
    )
    revoke_keys = Truth(load_default=False, metadata={"description": "End the account's API keys too."})


class TokensSchema(AnswerSchema):
    access_token = fields.String(required=True)
    token_type = fields.String(required=True, validate=validate.Equal("Bearer"))
    expires_in = WholeNumber(required=True, metadata={"description": "Seconds that the access token lasts."})
    refresh_token = fields.String(required=True, metadata={"description": "Good for one refresh."})
    refresh_expires_at = Instant(required=True, metadata={"description": "When the login ends."})
    must_enrol = Truth(
        required=True,
        metadata={
            "description": "true: the role needs a second factor and the account has none: these tokens open nothing"
            " but its set-up."
        },
    )


class LimitSchema(AnswerSchema):
    limit = WholeNumber(required=True)
    window_seconds = WholeNumber(required=True)


class LimitsSchema(AnswerSchema):
    requests = fields.Nested(LimitSchema, required=True, allow_none=True, metadata={"description": "null: no limit."})
    new_orders = fields.Nested(LimitSchema, required=True, allow_none=True)
    event_streams = WholeNumber(required=True, metadata={"description": "Open at once."})


class AboutMeSchema(AnswerSchema):
    account_id = fields.String(required=True, metadata=_ACCOUNT_ID)
    username = fields.String(required=True)
    role = role_field(required=True)
    login_ends_at = Instant(
        required=True,
        allow_none=True,
        metadata={"description": "However often it is refreshed; null for an API key, and for a login that has ended."},
    )


class MeSchema(AboutMeSchema):
    scopes = scopes_shown()
    key_id = fields.String(required=True, allow_none=True, metadata={"description": "null for a login."})
    limits = fields.Nested(LimitsSchema, required=True)


LOGIN, REFRESH, PASSWORD = LoginSchema(), RefreshSchema(), PasswordSchema()

EXAMPLES: dict[str, Any] = {
    "Login": {"username": "meera", "password": "a password of hers", "totp_code": "492039"},
    "Refresh": {"refresh_token": "3Zx0Yq8e5mQb1r2s4t6u7v9w0x1y2z3A4B5C6D7E8F9"},
    "Password": {
        "current_password": "a password of hers",
        "new_password": "another password of hers",
        "revoke_keys": True,
    },
    "Tokens": {
        "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...",
        "token_type": "Bearer",
        "expires_in": 900,
        "refresh_token": "3Zx0Yq8e5mQb1r2s4t6u7v9w0x1y2z3A4B5C6D7E8F9",
        "refresh_expires_at": "2026-11-23T18:25:00.000000Z",
        "must_enrol": False,
    },
    "Me": {
        "account_id": AN_ACCOUNT,
        "username": "meera",
        "role": "trader",
        "login_ends_at": "2026-11-23T18:25:00.000000Z",
        "scopes": ["events:read", "orders:read", "orders:write", "webhooks:write"],
        "key_id": None,
        "limits": {
            "requests": {"limit": 1200, "window_seconds": 60},
            "new_orders": {"limit": 600, "window_seconds": 60},
            "event_streams": 5,
        },
    },
}
