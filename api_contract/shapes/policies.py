"""The shapes of how an account's orders catch up where they do not say so."""

from typing import Any

from marshmallow import Schema, fields, post_load

from api_contract.fields import WholeNumber, Word
from api_contract.order_rules import MAX_MINUTES, MAX_MULTIPLE, MIN_MULTIPLE
from api_contract.policy_rules import CatchUpPolicy
from api_contract.shapes.base import AN_ACCOUNT, AnswerSchema, RequestSchema
from api_contract.vocabulary import AtEnd, CatchUp, Leftover

_CATCH_UP = {"description": "Where what it misses goes: over the rest of the window, with the next slice, ..."}
_MULTIPLE = {
    "minimum": MIN_MULTIPLE,
    "maximum": MAX_MULTIPLE,
    "description": "No interval gets more than so many times the plan's.",
}
_EXTEND = {"minimum": 0, "maximum": MAX_MINUTES, "description": "The window may grow by so much to catch up."}
_LEFTOVER = {"description": "What becomes of the unfilled rest of a slice that has ended."}
_AT_END = {"description": "market: one last slice at market when the window is over."}


class PolicySchema(Schema):
    """How an order catches up."""

    catch_up = Word(CatchUp, "Must be spread, next_slice, burst or skip.", metadata=_CATCH_UP)
    max_slice_multiple = WholeNumber(metadata=_MULTIPLE)
    extend_minutes = WholeNumber(metadata=_EXTEND)
    leftover = Word(Leftover, "Must be catch_up or drop.", metadata=_LEFTOVER)
    at_end = Word(AtEnd, "Must be leave or market.", metadata=_AT_END)


class StatedPolicySchema(Schema):
    """The same as far as it is stated: null where it is not."""

    catch_up = Word(
        CatchUp, "Must be spread, next_slice, burst or skip.", load_default=None, allow_none=True, metadata=_CATCH_UP
    )
    max_slice_multiple = WholeNumber(load_default=None, allow_none=True, metadata=_MULTIPLE)
    extend_minutes = WholeNumber(load_default=None, allow_none=True, metadata=_EXTEND)
    leftover = Word(Leftover, "Must be catch_up or drop.", load_default=None, allow_none=True, metadata=_LEFTOVER)
    at_end = Word(AtEnd, "Must be leave or market.", load_default=None, allow_none=True, metadata=_AT_END)


class NewCatchUpPolicySchema(RequestSchema, StatedPolicySchema):
    """All of it at once: what is left out, or null, is the installation's again."""

    @post_load
    def as_policy(self, stated: dict[str, Any], **_: Any) -> CatchUpPolicy:
        return CatchUpPolicy(**stated)


class CatchUpPolicySchema(AnswerSchema, StatedPolicySchema):
    pass


class PolicyInForceSchema(AnswerSchema, PolicySchema):
    pass


class AccountPolicySchema(AnswerSchema):
    account_id = fields.String(required=True)
    own = fields.Nested(CatchUpPolicySchema, required=True, metadata={"description": "What was set for the account."})
    in_force = fields.Nested(
        PolicyInForceSchema, required=True, metadata={"description": "What orders get that do not state it."}
    )


NEW_POLICY = NewCatchUpPolicySchema()

_OWN: dict[str, Any] = {
    "catch_up": "next_slice",
    "max_slice_multiple": None,
    "extend_minutes": 30,
    "leftover": None,
    "at_end": None,
}
EXAMPLES: dict[str, Any] = {
    "NewCatchUpPolicy": {"catch_up": "next_slice", "extend_minutes": 30},
    "CatchUpPolicy": _OWN,
    "AccountPolicy": {
        "account_id": AN_ACCOUNT,
        "own": _OWN,
        "in_force": {**_OWN, "max_slice_multiple": 3, "leftover": "catch_up", "at_end": "leave"},
    },
}
