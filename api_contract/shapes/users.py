"""The shapes of users and of what ends their rights."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from api_contract.account_rules import REQUESTS_PER_MINUTE
from api_contract.fields import Instant, Limit, Truth, WholeNumber, Word
from api_contract.ids import ACCOUNT_ID
from api_contract.scopes import Role
from api_contract.shapes.base import AN_ACCOUNT, AnswerSchema, RequestSchema, cursor_field, next_cursor_field, shown
from api_contract.shapes.proof import WORD
from api_contract.vocabulary import OpenOrders

_ACCOUNT_ID = shown(ACCOUNT_ID)


def own_limit(**options: Any) -> WholeNumber:
    """The field of an account's own limit."""
    least, most = REQUESTS_PER_MINUTE
    text = "The user's own limit; null: the installation's."
    return WholeNumber(allow_none=True, metadata={"minimum": least, "maximum": most, "description": text}, **options)


def role_field(**options: Any) -> Word:
    """The field of an account's role."""
    return Word(sorted(Role), **options)


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
    password = fields.String(required=True, validate=validate.Length(1, 256), metadata=WORD)
    role = role_field(required=True)


class UserChangeSchema(RequestSchema):
    role = role_field()
    is_active = Truth()
    password = fields.String(validate=validate.Length(1, 256), metadata=WORD)
    requests_per_minute = own_limit()


PAGE_QUERY, LOGOUT_QUERY, OFFBOARD = PageQuerySchema(), LogoutQuerySchema(), OffboardSchema()
NEW_USER, USER_CHANGE = NewUserSchema(), UserChangeSchema()

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
EXAMPLES: dict[str, Any] = {
    "Offboard": {"open_orders": "cancel"},
    "Offboarded": {"user": _USER | {"is_active": False}, "keys_revoked": 2, "orders_changed": 3, "orders_left": 0},
    "NewUser": {"username": "meera", "password": "a password of hers", "role": "trader"},
    "User": _USER,
    "UserList": {"users": [_USER], "next_cursor": None},
    "UserChange": {"role": "operator", "requests_per_minute": 300},
}
