"""The shapes of logins, accounts, keys and revocations."""

from typing import Any

from marshmallow import fields, validate

from pulse_app.fields import Instant, Limit, Truth, WholeNumber
from pulse_app.schemas import AnswerSchema, RequestSchema
from pulse_core.domain.enums import RevocationKind, Role, Scope
from pulse_core.services.accounts import REQUESTS_PER_MINUTE
from pulse_core.services.keys import LONGEST_LIFE_DAYS

_ACCOUNT_ID = {"pattern": "^acc_[0-9A-Z]{26}$"}
_KEY_ID = {"pattern": "^key_[0-9A-Z]{26}$"}
_WORD = {"format": "password"}
_ADDRESS = {"description": "Where the client called the gateway from.", "example": "192.0.2.7"}


def _role(**options: bool) -> fields.Enum:  # type: ignore[type-arg]
    return fields.Enum(Role, by_value=fields.String, **options)  # type: ignore[arg-type]


def _own_limit(**options: Any) -> WholeNumber:
    least, most = REQUESTS_PER_MINUTE
    text = "The account's own limit; null: the installation's."
    return WholeNumber(allow_none=True, metadata={"minimum": least, "maximum": most, "description": text}, **options)


def _scopes() -> fields.List:  # type: ignore[type-arg]
    return fields.List(fields.Enum(Scope, by_value=fields.String), required=True, validate=validate.Length(0, 10))


class LoginSchema(RequestSchema):
    username = fields.String(required=True, validate=validate.Length(1, 64))
    password = fields.String(required=True, validate=validate.Length(1, 256), metadata=_WORD)
    address = fields.String(load_default=None, validate=validate.Length(1, 64), metadata=_ADDRESS)


class RefreshSchema(RequestSchema):
    refresh_token = fields.String(required=True, validate=validate.Length(1, 100), metadata=_WORD)
    address = fields.String(load_default=None, validate=validate.Length(1, 64), metadata=_ADDRESS)


class PasswordSchema(RequestSchema):
    current_password = fields.String(required=True, validate=validate.Length(1, 256), metadata=_WORD)
    new_password = fields.String(required=True, validate=validate.Length(1, 256), metadata=_WORD)
    address = fields.String(load_default=None, validate=validate.Length(1, 64), metadata=_ADDRESS)


class AccountSchema(AnswerSchema):
    account_id = fields.String(required=True, attribute="id", metadata=_ACCOUNT_ID)
    username = fields.String(required=True)
    role = _role(required=True)
    is_active = Truth(required=True)
    requests_per_minute = _own_limit(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class LoginAnswerSchema(AnswerSchema):
    account_id = fields.String(required=True, attribute="account.id", metadata=_ACCOUNT_ID)
    username = fields.String(required=True, attribute="account.username")
    role = fields.Enum(Role, by_value=fields.String, required=True, attribute="account.role")
    generation = WholeNumber(required=True, attribute="account.generation")
    requests_per_minute = _own_limit(required=True, attribute="account.requests_per_minute")
    session_id = fields.String(required=True)
    refresh_token = fields.String(required=True)
    expires_at = Instant(required=True, metadata={"description": "When the login ends, however often refreshed."})


class NewAccountSchema(RequestSchema):
    username = fields.String(required=True, validate=validate.Length(1, 64))
    password = fields.String(required=True, validate=validate.Length(1, 256), metadata=_WORD)
    role = _role(required=True)


class AccountChangeSchema(RequestSchema):
    role = _role()
    is_active = Truth()
    password = fields.String(validate=validate.Length(1, 256), metadata=_WORD)
    requests_per_minute = _own_limit()


class PageQuerySchema(RequestSchema):
    limit = Limit(1, 200, load_default=50)
    after = fields.String(
        load_default=None,
        validate=validate.Regexp(r"[A-Za-z0-9_.@-]{1,64}\Z"),
        metadata={"description": "The last one of the page before."},
    )


class KeyQuerySchema(PageQuerySchema):
    account_id = fields.String(load_default=None, validate=validate.Regexp(r"acc_[0-9A-Z]{26}\Z"))


class AccountListSchema(AnswerSchema):
    users = fields.List(fields.Nested(AccountSchema), required=True)


class NewKeySchema(RequestSchema):
    name = fields.String(required=True, validate=validate.Length(1, 64), metadata={"example": "rebalancer"})
    scopes = _scopes()
    expires_in_days = WholeNumber(load_default=90, metadata={"minimum": 1, "maximum": LONGEST_LIFE_DAYS})


class KeySchema(AnswerSchema):
    key_id = fields.String(required=True, attribute="id", metadata=_KEY_ID)
    account_id = fields.String(required=True, metadata=_ACCOUNT_ID)
    name = fields.String(required=True)
    scopes = fields.List(fields.String(), required=True)
    created_at = Instant(required=True)
    expires_at = Instant(required=True)
    last_used_at = Instant(required=True, allow_none=True)
    revoked_at = Instant(required=True, allow_none=True)


class MadeKeySchema(KeySchema):
    api_key = fields.String(required=True, metadata={"description": "The key itself, shown this once."})


class KeyListSchema(AnswerSchema):
    keys = fields.List(fields.Nested(KeySchema), required=True)


class KeyTextSchema(RequestSchema):
    api_key = fields.String(required=True, validate=validate.Length(1, 100), metadata=_WORD)


class HolderSchema(AnswerSchema):
    key_id = fields.String(required=True, metadata=_KEY_ID)
    account_id = fields.String(required=True, metadata=_ACCOUNT_ID)
    role = _role(required=True)
    scopes = _scopes()
    expires_at = Instant(required=True)
    requests_per_minute = _own_limit(required=True)


class NewsQuerySchema(RequestSchema):
    after = Limit(0, 999_999_999, load_default=0)
    limit = Limit(1, 1000, load_default=500)


class RevocationSchema(AnswerSchema):
    id = WholeNumber(required=True)
    kind = fields.Enum(RevocationKind, by_value=fields.String, required=True)
    subject = fields.String(required=True, metadata={"description": "jti, session, key or account."})
    generation = WholeNumber(
        required=True, allow_none=True, metadata={"description": "ACCOUNT: tokens of older generations are revoked."}
    )
    revoked_at = Instant(required=True)


class NewsSchema(AnswerSchema):
    revocations = fields.List(fields.Nested(RevocationSchema), required=True)
    latest = WholeNumber(required=True, metadata={"description": "The id of the very last one."})


class NewRevocationSchema(RequestSchema):
    jti = fields.String(validate=validate.Regexp(r"[A-Za-z0-9_.-]{1,64}\Z"))
    account_id = fields.String(validate=validate.Regexp(r"acc_[0-9A-Z]{26}\Z"))
    actor = fields.String(required=True, validate=validate.Regexp(r"[a-z0-9-]{1,32}\Z"))


LOGIN, REFRESH, PASSWORD = LoginSchema(), RefreshSchema(), PasswordSchema()
NEW_ACCOUNT, ACCOUNT_CHANGE = NewAccountSchema(), AccountChangeSchema()
PAGE_QUERY, KEY_QUERY, NEWS_QUERY = PageQuerySchema(), KeyQuerySchema(), NewsQuerySchema()
NEW_KEY, KEY_TEXT, NEW_REVOCATION = NewKeySchema(), KeyTextSchema(), NewRevocationSchema()
