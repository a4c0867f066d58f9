"""The shapes of logins, keys, users and tokens."""

from typing import Any

from marshmallow import fields, validate

from gapi_app.fields import Instant, Limit, Truth, WholeNumber
from gapi_app.roles import SCOPES, Scope
from gapi_app.rules import REQUESTS_PER_MINUTE
from gapi_app.schemas import AnswerSchema, RequestSchema

LONGEST_KEY_LIFE_DAYS = 366
_ROLES = sorted(SCOPES)
_ACCOUNT_ID = {"pattern": "^acc_[0-9A-Z]{26}$"}
_KEY_ID = {"pattern": "^key_[0-9A-Z]{26}$"}
_WORD = {"format": "password"}


def _own_limit(**options: Any) -> WholeNumber:
    least, most = REQUESTS_PER_MINUTE
    text = "The user's own limit; null: the installation's."
    return WholeNumber(allow_none=True, metadata={"minimum": least, "maximum": most, "description": text}, **options)


def _scopes() -> fields.List:  # type: ignore[type-arg]
    known = fields.String(validate=validate.OneOf([scope.value for scope in Scope]))
    return fields.List(known, required=True, metadata={"example": ["orders:read", "orders:write"]})


class LoginSchema(RequestSchema):
    username = fields.String(required=True, validate=validate.Length(1, 64))
    password = fields.String(required=True, validate=validate.Length(1, 256), metadata=_WORD)


class RefreshSchema(RequestSchema):
    refresh_token = fields.String(required=True, validate=validate.Length(1, 100), metadata=_WORD)


class PasswordSchema(RequestSchema):
    current_password = fields.String(required=True, validate=validate.Length(1, 256), metadata=_WORD)
    new_password = fields.String(
        required=True, validate=validate.Length(1, 256), metadata={**_WORD, "description": "12 to 128 characters."}
    )


class TokensSchema(AnswerSchema):
    access_token = fields.String(required=True)
    token_type = fields.String(required=True, validate=validate.Equal("Bearer"))
    expires_in = WholeNumber(required=True, metadata={"description": "Seconds that the access token lasts."})
    refresh_token = fields.String(required=True, metadata={"description": "Good for one refresh."})
    refresh_expires_at = Instant(required=True, metadata={"description": "When the login ends."})


class PageQuerySchema(RequestSchema):
    limit = Limit(1, 200, load_default=50)
    after = fields.String(
        validate=validate.Regexp(r"[A-Za-z0-9_.@-]{1,64}\Z", error="Must be the last one of the page before."),
        metadata={"description": "The last one of the page before: a username, or a key_id."},
    )


class KeyQuerySchema(PageQuerySchema):
    account_id = fields.String(
        validate=validate.Regexp(r"acc_[0-9A-Z]{26}\Z", error="Must be an account_id."), metadata=_ACCOUNT_ID
    )


class NewKeySchema(RequestSchema):
    name = fields.String(required=True, validate=validate.Length(1, 64), metadata={"example": "rebalancer"})
    scopes = _scopes()
    expires_in_days = WholeNumber(load_default=90, metadata={"minimum": 1, "maximum": LONGEST_KEY_LIFE_DAYS})


class KeySchema(AnswerSchema):
    key_id = fields.String(required=True, metadata=_KEY_ID)
    account_id = fields.String(required=True, metadata=_ACCOUNT_ID)
    name = fields.String(required=True)
    scopes = _scopes()
    created_at = Instant(required=True)
    expires_at = Instant(required=True)
    last_used_at = Instant(required=True, allow_none=True, metadata={"description": "To the minute."})
    revoked_at = Instant(required=True, allow_none=True)


class MadeKeySchema(KeySchema):
    api_key = fields.String(required=True, metadata={"description": "The key itself, shown this once."})


class KeyListSchema(AnswerSchema):
    keys = fields.List(fields.Nested(KeySchema), required=True)


class UserSchema(AnswerSchema):
    account_id = fields.String(required=True, metadata=_ACCOUNT_ID)
    username = fields.String(required=True)
    role = fields.String(required=True, validate=validate.OneOf(_ROLES))
    is_active = Truth(required=True)
    requests_per_minute = _own_limit(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class UserListSchema(AnswerSchema):
    users = fields.List(fields.Nested(UserSchema), required=True)


class NewUserSchema(RequestSchema):
    username = fields.String(required=True, validate=validate.Length(1, 64))
    password = fields.String(required=True, validate=validate.Length(1, 256), metadata=_WORD)
    role = fields.String(required=True, validate=validate.OneOf(_ROLES))


class UserChangeSchema(RequestSchema):
    role = fields.String(validate=validate.OneOf(_ROLES))
    is_active = Truth()
    password = fields.String(validate=validate.Length(1, 256), metadata=_WORD)
    requests_per_minute = _own_limit()


class IntrospectSchema(RequestSchema):
    token = fields.String(required=True, validate=validate.Length(1, 4096), metadata=_WORD)


class IntrospectionSchema(AnswerSchema):
    """RFC 7662. Nothing but `active` for a token that is not."""

    active = Truth(required=True)
    sub = fields.String(metadata=_ACCOUNT_ID)
    role = fields.String(validate=validate.OneOf(_ROLES))
    scope = fields.String(metadata={"description": "Separated by spaces."})
    token_type = fields.String(validate=validate.OneOf(["access_token", "api_key"]))
    jti = fields.String(metadata={"description": "The token's id, or the key's."})
    iat = WholeNumber()
    exp = WholeNumber()
    iss = fields.String()
    aud = fields.String()


class RevokeSchema(RequestSchema):
    jti = fields.String(validate=validate.Regexp(r"[A-Za-z0-9_.-]{1,64}\Z", error="Must be the jti of a token."))
    account_id = fields.String(
        validate=validate.Regexp(r"acc_[0-9A-Z]{26}\Z", error="Must be an account_id."), metadata=_ACCOUNT_ID
    )


class JwksSchema(AnswerSchema):
    keys = fields.List(fields.Dict(), required=True, metadata={"description": "RFC 7517. Empty with HS256."})


LOGIN, REFRESH, PASSWORD = LoginSchema(), RefreshSchema(), PasswordSchema()
PAGE_QUERY, KEY_QUERY = PageQuerySchema(), KeyQuerySchema()
NEW_KEY, NEW_USER, USER_CHANGE = NewKeySchema(), NewUserSchema(), UserChangeSchema()
INTROSPECT, REVOKE = IntrospectSchema(), RevokeSchema()
