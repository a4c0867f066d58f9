"""What each error code means, which details come with it, and one that was seen."""

from dataclasses import dataclass, field
from typing import Any

_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_NUMBER: dict[str, Any] = {"type": "integer"}
_FIELD: dict[str, Any] = {"type": "string", "description": "The field, with dots: `split_config.num_splits`."}
_SECONDS: dict[str, Any] = {"type": "integer", "minimum": 1}


@dataclass(frozen=True)
class Refusal:
    """`details`: the properties that may stand there; further ones may follow. `required`: those that always do."""

    meaning: str
    message: str
    example: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    def schema(self, code: str) -> dict[str, Any]:
        """The error body with this code."""
        details: dict[str, Any] = {"type": "object", "properties": self.details}
        if self.required:
            details["required"] = list(self.required)
        properties = {"code": {"const": code}, "message": _TEXT, "details": details}
        error = {"type": "object", "properties": properties, "required": ["code", "message", "details"]}
        return {
            "type": "object",
            "description": self.meaning,
            "properties": {"error": error},
            "required": ["error"],
            "examples": [{"error": {"code": code, "message": self.message, "details": self.example}}],
        }


CLOCK_OFF = "clock_off_seconds"
_CLOCK_OFF = {"type": "integer", "description": "How early the token is; negative: how long ago it ended."}
_RULE = {"type": "string", "description": "The rule that it broke."}
_FIELDS = {
    "type": "object",
    "description": "Each field with the rule that it broke, when there are several.",
    "additionalProperties": _TEXT,
}
_LIMIT = {"type": ["integer", "string"]}
_STATUS = {"type": "string", "description": "The status that does not allow it."}
_MISSING = {**_TEXTS, "description": "What cannot be reached."}

REFUSALS = {
    "INVALID_REQUEST": Refusal(
        "A malformed body, or a field that is missing, unknown, ill-typed or out of its limits.",
        "side: Must be BUY or SELL.",
        {"field": "side", "rule": "Must be BUY or SELL."},
        {"field": _FIELD, "rule": _RULE, "fields": _FIELDS, "min": _LIMIT, "max": _LIMIT, "allowed": _TEXTS},
    ),
    "INVALID_INSTRUMENT": Refusal(
        "Not `EXCHANGE:SYMBOL`, or an exchange that is not served.",
        "instrument must be EXCHANGE:SYMBOL with an exchange of BSE, NSE and a symbol of 1 to 32 of A-Z, 0-9, & and -",
        {"field": "instrument", "expected_format": "EXCHANGE:SYMBOL", "exchanges": ["BSE", "NSE"]},
        {"field": _FIELD, "expected_format": _TEXT, "exchanges": _TEXTS},
        ("field", "expected_format", "exchanges"),
    ),
    "INVALID_QUANTITY": Refusal(
        "Less than one share for each slice, or too many.",
        "total_quantity must be at least split_config.num_splits (5)",
        {"field": "total_quantity", "min": 5, "num_splits": 5},
        {"field": _FIELD, "min": _NUMBER, "max": _NUMBER, "num_splits": _NUMBER},
        ("field", "min"),
    ),
    "INVALID_SPLIT_CONFIG": Refusal(
        "A number of slices or a duration out of its limits.",
        "split_config.num_splits must be from 2 to 100",
        {"field": "split_config.num_splits", "min": 2, "max": 100},
        {"field": _FIELD, "min": _NUMBER, "max": _NUMBER},
        ("field", "min", "max"),
    ),
    "UNAUTHORIZED": Refusal(
        "No token, or one that is malformed, expired, used before or made for another request; with the reason"
        " `credentials`, a wrong secret of the user whom the call is about; with `clock_off_seconds`, one for another"
        " time than that in the header `Pulse-Time`, by which its maker may try again.",
        "username or password is wrong",
        {"reason": "credentials"},
        {"reason": {"const": "credentials"}, CLOCK_OFF: _CLOCK_OFF},
    ),
    "FORBIDDEN": Refusal(
        "A good token whose role or scopes do not allow this.",
        "the role viewer does not have orders:write",
        {"role": "viewer", "needed": "orders:write"},
        {"role": _TEXT, "needed": {**_TEXT, "description": "A scope, or what the caller must be."}, "field": _FIELD},
    ),
    "NOT_FOUND": Refusal("There is no such thing, or it belongs to another account.", "there is no such order"),
    "DUPLICATE_ORDER_UNIQUE_KEY": Refusal(
        "The key was used for another order.",
        "order_unique_key was used before for an order that differs in side",
        {
            "field": "order_unique_key",
            "existing_order_id": "ord_01M83H8RHMTHDRXSMTYCVNSZWN",
            "differs": ["side"],
        },
        {
            "field": _FIELD,
            "existing_order_id": _TEXT,
            "differs": {**_TEXTS, "description": "The fields that are not the same."},
        },
        ("field", "existing_order_id", "differs"),
    ),
    "INVALID_STATE": Refusal(
        "The state of things does not allow it: a status, a name that is taken, a number that is reached.",
        "the order is DONE and cannot be cancelled",
        {"status": "DONE"},
        {"status": _STATUS, "field": _FIELD, "limit": _NUMBER, "max": _NUMBER, "account_id": _TEXT},
    ),
    "PAYLOAD_TOO_LARGE": Refusal("The body has more than 64 KiB.", "request entity too large"),
    "UNSUPPORTED_MEDIA_TYPE": Refusal(
        "The body is not `application/json` in UTF-8, or is compressed.", "unsupported media type"
    ),
    "RATE_LIMITED": Refusal(
        "Too many failed logins; `Retry-After` says when to try again.",
        "too many failed logins",
        {"retry_after_seconds": 30},
        {"retry_after_seconds": _SECONDS},
        ("retry_after_seconds",),
    ),
    "INTERNAL_ERROR": Refusal("A defect on our side; it was logged.", "something went wrong on our side"),
    "DATABASE_ERROR": Refusal(
        "A statement that the database did not take; it was logged.", "the database refused this"
    ),
    "SERVICE_UNAVAILABLE": Refusal(
        "The database cannot be reached. What was asked may have been done.",
        "the database cannot be reached",
        {"missing": ["postgres"]},
        {"missing": _MISSING},
    ),
}
