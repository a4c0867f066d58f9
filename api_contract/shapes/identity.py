"""The shapes of logins, keys, users and tokens."""

import re
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from api_contract.account_rules import (
    LONGEST_KEY_LIFE_DAYS,
    MOST_NETWORKS,
    RECOVERY_CODE,
    REQUESTS_PER_MINUTE,
    TOTP_CODE,
    network,
)
from api_contract.fields import Instant, Limit, Truth, WholeNumber, Word
from api_contract.ids import ACCOUNT_ID, KEY_ID
from api_contract.scopes import Role, Scope
from api_contract.shapes.base import (
    A_KEY,
    AN_ACCOUNT,
    AnswerSchema,
    RequestSchema,
    cursor_field,
    matches,
    next_cursor_field,
    shown,
)
from api_contract.vocabulary import OpenOrders

JTI = re.compile("[A-Za-z0-9_.-]{1,64}")
MOST_SCOPES = 10
_ACCOUNT_ID, _KEY_ID = shown(ACCOUNT_ID), shown(KEY_ID)
_SCOPES = {"example": ["orders:read", "orders:write"]}
_WORD = {"format": "password"}
_NETWORKS = {"description": "Where the key may be used from; empty: anywhere.", "example": ["203.0.113.0/24"]}
_AGAIN = {**_WORD, "description": "The account's password again: this is not done without."}


def own_limit(**options: Any) -> WholeNumber:
    """The field of an account's own limit."""
    least, most = REQUESTS_PER_MINUTE
    text = "The user's own limit; null: the installation's."
    return WholeNumber(allow_none=True, metadata={"minimum": least, "maximum": most, "description": text}, **options)


def role_field(**options: Any) -> Word:
    """The field of an account's role."""
    return Word(sorted(Role), **options)


def scopes_shown() -> fields.List[Any]:
    """The field of scopes in an answer."""
    known = fields.String(validate=validate.OneOf([scope.value for scope in Scope]))
    return fields.List(known, required=True, metadata=_SCOPES)


def networks_shown() -> fields.List[Any]:
    """The field of a key's networks in an answer."""
    return fields.List(fields.String(), required=True, metadata=_NETWORKS)


def _a_network(text: str) -> None:
    try:
        network(text)
    except ValueError:
        raise ValidationError("Must be an address, or a network like 203.0.113.0/24 without host bits.") from None


def _few(scopes: list[Scope]) -> None:
    if len(scopes) > MOST_SCOPES:
        raise ValidationError(f"Length must be between 0 and {MOST_SCOPES}.")


def totp_code_field(**options: Any) -> fields.String:
    """The field of a code that an authenticator app shows."""
    text = "What the app shows, where a second factor is on. Each code is taken once."
    metadata = {**shown(TOTP_CODE), "description": text, "example": "492039"}
    return fields.String(validate=matches(TOTP_CODE, "Must be six digits."), metadata=metadata, **options)


class _WithProofSchema(Schema):
    """The second factor, in the same request as the password."""

    totp_code = totp_code_field()
    recovery_code = fields.String(
        validate=matches(RECOVERY_CODE, "Must be a recovery code."),
        metadata={
            **shown(RECOVERY_CODE),
            "description": "In place of `totp_code`, once.",
            "example": "k3m7-q2xd-7vbn-4w6t",
        },
    )

    @validates_schema
    def one_of_them(self, given: dict[str, Any], **_: Any) -> None:
        if "totp_code" in given and "recovery_code" in given:
            raise ValidationError("Not together with totp_code.", "recovery_code")


class LoginSchema(_WithProofSchema, RequestSchema):
    username = fields.String(required=True, validate=validate.Length(1, 64))
    password = fields.String(required=True, validate=validate.Length(1, 256), metadata=_WORD)


class RefreshSchema(RequestSchema):
    refresh_token = fields.String(required=True, validate=validate.Length(1, 100), metadata=_WORD)


class PasswordSchema(_WithProofSchema, RequestSchema):
    current_password = fields.String(required=True, validate=validate.Length(1, 256), metadata=_WORD)
    new_password = fields.String(
        required=True,
        validate=validate.Length(1, 256),
        metadata={**_WORD, "description": "12 to 128 characters, and not easily guessed."},
    )
    revoke_keys = Truth(load_default=False, metadata={"description": "End the account's API keys too."})


class LogoutQuerySchema(RequestSchema):
    revoke_keys = fields.String(
        load_default="false",
        validate=validate.OneOf(["true", "false"]),
        metadata={"description": "true: end the account's API keys too."},
    )


class OffboardSchema(RequestSchema):
    open_orders = Word(
        OpenOrders,
        required=True,
        metadata={"description": "What becomes of the account's open orders.", "example": "cancel"},
    )


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


class ProofSchema(_WithProofSchema, RequestSchema):
    password = fields.String(required=True, validate=validate.Length(1, 256), metadata=_AGAIN)


class ConfirmationSchema(RequestSchema):
    totp_code = totp_code_field(required=True)


class SecondFactorSchema(AnswerSchema):
    is_on = Truth(required=True)
    since = Instant(required=True, allow_none=True)
    recovery_codes_left = WholeNumber(required=True)
    is_required = Truth(required=True, metadata={"description": "By the account's role."})


class EnrolmentSchema(AnswerSchema):
    secret = fields.String(required=True, metadata={"description": "In base 32, for an app; shown this once."})
    otpauth_uri = fields.String(required=True, metadata={"description": "The same, to be shown as a QR code."})
    qr_rows = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "That QR code, row by row, 1 for each dark module; four light ones go around it."},
    )
    digits = WholeNumber(required=True)
    period_seconds = WholeNumber(required=True)
    expires_at = Instant(required=True, metadata={"description": "Confirm it before."})


class RecoveryCodesSchema(AnswerSchema):
    recovery_codes = fields.List(
        fields.String(), required=True, metadata={"description": "Each is good once; shown this once."}
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


class PageQuerySchema(RequestSchema):
    limit = Limit(1, 200, load_default=50)
    after = fields.String(
        validate=validate.Regexp(r"[A-Za-z0-9_.@-]{1,64}\Z", error="Must be the last one of the page before."),
        metadata={
            "description": "The last one of the page before: a username, or a key_id. Use `cursor`: it takes any.",
            "deprecated": True,
        },
    )
    cursor = cursor_field()

    @validates_schema
    def one_place(self, query: dict[str, Any], **_: Any) -> None:
        if "after" in query and "cursor" in query:
            raise ValidationError("Not together with after.", "cursor")


class KeyQuerySchema(PageQuerySchema):
    account_id = fields.String(validate=matches(ACCOUNT_ID, "Must be an account_id."), metadata=_ACCOUNT_ID)


class NewKeySchema(_WithProofSchema, RequestSchema):
    name = fields.String(required=True, validate=validate.Length(1, 64), metadata={"example": "rebalancer"})
    scopes = fields.List(Word(Scope), required=True, validate=_few, metadata=_SCOPES)
    expires_in_days = WholeNumber(load_default=90, metadata={"minimum": 1, "maximum": LONGEST_KEY_LIFE_DAYS})
    networks = fields.List(
        fields.String(validate=[validate.Length(2, 43), _a_network]),
        load_default=list,
        validate=validate.Length(0, MOST_NETWORKS),
        metadata=_NETWORKS,
    )
    password = fields.String(load_default=None, validate=validate.Length(1, 256), metadata=_AGAIN)


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


class UserSchema(AnswerSchema):
    account_id = fields.String(required=True, attribute="id", metadata=_ACCOUNT_ID)
    username = fields.String(required=True)
    role = role_field(required=True)
    is_active = Truth(required=True)
    requests_per_minute = own_limit(required=True)
    second_factor_since = Instant(
        required=True, allow_none=True, metadata={"description": "null: the user logs in with a password alone."}
    )
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class OffboardedSchema(AnswerSchema):
    user = fields.Nested(UserSchema, required=True)
    keys_revoked = WholeNumber(required=True)
    orders_changed = WholeNumber(required=True, metadata={"description": "Orders paused or cancelled by this request."})
    orders_left = WholeNumber(
        required=True, metadata={"description": "Orders that could not be changed in time: ask again until it is 0."}
    )


class UserListSchema(AnswerSchema):
    users = fields.List(fields.Nested(UserSchema), required=True)
    next_cursor = next_cursor_field()


class NewUserSchema(RequestSchema):
    username = fields.String(required=True, validate=validate.Length(1, 64))
    password = fields.String(required=True, validate=validate.Length(1, 256), metadata=_WORD)
    role = role_field(required=True)


class UserChangeSchema(RequestSchema):
    role = role_field()
    is_active = Truth()
    password = fields.String(validate=validate.Length(1, 256), metadata=_WORD)
    requests_per_minute = own_limit()


class IntrospectSchema(RequestSchema):
    token = fields.String(required=True, validate=validate.Length(1, 4096), metadata=_WORD)


class IntrospectionSchema(AnswerSchema):
    """RFC 7662. Nothing but `active` for a token that is not."""

    active = Truth(required=True)
    sub = fields.String(metadata=_ACCOUNT_ID)
    role = role_field()
    scope = fields.String(metadata={"description": "Separated by spaces."})
    token_type = fields.String(validate=validate.OneOf(["access_token", "api_key"]))
    jti = fields.String(metadata={"description": "The token's id, or the key's."})
    networks = fields.List(fields.String(), metadata=_NETWORKS)
    iat = WholeNumber()
    exp = WholeNumber()
    iss = fields.String()
    aud = fields.String()


class RevokeSchema(RequestSchema):
    jti = fields.String(validate=matches(JTI, "Must be the jti of a token."))
    account_id = fields.String(validate=matches(ACCOUNT_ID, "Must be an account_id."), metadata=_ACCOUNT_ID)


class JwksSchema(AnswerSchema):
    keys = fields.List(fields.Dict(), required=True, metadata={"description": "RFC 7517. Empty with HS256."})


LOGIN, REFRESH, PASSWORD, OFFBOARD = LoginSchema(), RefreshSchema(), PasswordSchema(), OffboardSchema()
LOGOUT_QUERY = LogoutQuerySchema()
PAGE_QUERY, KEY_QUERY = PageQuerySchema(), KeyQuerySchema()
NEW_KEY, NEW_USER, USER_CHANGE = NewKeySchema(), NewUserSchema(), UserChangeSchema()
INTROSPECT, REVOKE = IntrospectSchema(), RevokeSchema()
PROOF, CONFIRMATION = ProofSchema(), ConfirmationSchema()

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
_USER = {
    "account_id": AN_ACCOUNT,
    "username": "meera",
    "role": "trader",
    "is_active": True,
    "requests_per_minute": None,
    "second_factor_since": None,
    "created_at": "2026-11-23T06:20:00.000000Z",
    "updated_at": "2026-11-23T06:20:00.000000Z",
}
_IN_BASE_32 = "YZMQ3S7FZU6W6RHMZSFPZINUG2MU2P5A"
EXAMPLES: dict[str, Any] = {
    "Login": {"username": "meera", "password": "a password of hers", "totp_code": "492039"},
    "Refresh": {"refresh_token": "3Zx0Yq8e5mQb1r2s4t6u7v9w0x1y2z3A4B5C6D7E8F9"},
    "Password": {
        "current_password": "a password of hers",
        "new_password": "another password of hers",
        "revoke_keys": True,
    },
    "Offboard": {"open_orders": "cancel"},
    "Offboarded": {"user": _USER | {"is_active": False}, "keys_revoked": 2, "orders_changed": 3, "orders_left": 0},
    "Tokens": {
        "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9...",
        "token_type": "Bearer",
        "expires_in": 900,
        "refresh_token": "3Zx0Yq8e5mQb1r2s4t6u7v9w0x1y2z3A4B5C6D7E8F9",
        "refresh_expires_at": "2026-11-23T18:25:00.000000Z",
        "must_enrol": False,
    },
    "Proof": {"password": "a password of hers", "totp_code": "492039"},
    "Confirmation": {"totp_code": "492039"},
    "SecondFactor": {
        "is_on": True,
        "since": "2026-11-23T06:31:00.000000Z",
        "recovery_codes_left": 9,
        "is_required": False,
    },
    "Enrolment": {
        "secret": _IN_BASE_32,
        "otpauth_uri": f"otpauth://totp/Pulse:meera?digits=6&secret={_IN_BASE_32}&algorithm=SHA1&issuer=Pulse&period=30",
        "qr_rows": ["11111110100101001100001111111", "10000010011010111010101000001"],
        "digits": 6,
        "period_seconds": 30,
        "expires_at": "2026-11-23T06:45:00.000000Z",
    },
    "RecoveryCodes": {"recovery_codes": ["k3m7-q2xd-7vbn-4w6t", "wq5a-ttl2-m6hc-3zje"]},
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
    "NewUser": {"username": "meera", "password": "a password of hers", "role": "trader"},
    "User": _USER,
    "UserList": {"users": [_USER], "next_cursor": None},
    "UserChange": {"role": "operator", "requests_per_minute": 300},
    "Introspect": {"token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9..."},
    "Introspection": {
        "active": True,
        "sub": AN_ACCOUNT,
        "role": "trader",
        "scope": "events:read orders:read orders:write",
        "token_type": "access_token",
        "jti": "5b2c1a7e-8f0d-4c6b-9a3e-2d1f4b6c8e0a",
        "iat": 1_795_415_106,
        "exp": 1_795_416_006,
        "iss": "gapi",
        "aud": "gapi-api",
    },
    "Revoke": {"account_id": AN_ACCOUNT},
    "Jwks": {
        "keys": [
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "kid": "2026-11",
                "use": "sig",
                "alg": "EdDSA",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
            }
        ]
    },
}
