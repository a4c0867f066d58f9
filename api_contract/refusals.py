"""What each error code means, which details come with it, and one that was seen; for the codes of both services."""

from dataclasses import dataclass, field
from typing import Any

from api_contract.risk_rules import LimitName

TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": TEXT}
NUMBER: dict[str, Any] = {"type": "integer"}
_FIELD: dict[str, Any] = {"type": "string", "description": "The field, with dots: `split_config.num_splits`."}
SECONDS: dict[str, Any] = {"type": "integer", "minimum": 1}


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
        properties = {"code": {"const": code}, "message": TEXT, "details": details}
        error = {"type": "object", "properties": properties, "required": ["code", "message", "details"]}
        return {
            "type": "object",
            "description": self.meaning,
            "properties": {"error": error},
            "required": ["error"],
            "examples": [{"error": {"code": code, "message": self.message, "details": self.example}}],
        }


_STATED = {"type": "string", "description": "As it was stated, at most 64 characters of it."}
_COUNT = {"type": "integer", "description": "As it was stated."}
_RULE = {"type": "string", "description": "The rule that it broke."}
_FIELDS = {
    "type": "object",
    "description": "Each field with the rule that it broke, when there are several.",
    "additionalProperties": TEXT,
}
_LIMIT = {"type": ["integer", "string"]}
_STATUS = {"type": "string", "description": "The status that does not allow it."}
_SESSION = {
    "type": ["object", "null"],
    "description": "A time without a pause in which orders are taken; null where none is known.",
    "properties": {"start": TEXT, "end": TEXT},
}
_NUMBERS: dict[str, Any] = {"type": "array", "items": NUMBER}
MISSING = {**_TEXTS, "description": "What cannot be reached."}
BUSY = {**TEXT, "description": "What there are too many of at once."}

SHARED = {
    "INVALID_REQUEST": Refusal(
        "A malformed body, or a field that is missing, unknown, ill-typed or out of its limits.",
        "side: Must be BUY or SELL.",
        {"field": "side", "rule": "Must be BUY or SELL."},
        {"field": _FIELD, "rule": _RULE, "fields": _FIELDS, "min": _LIMIT, "max": _LIMIT, "allowed": _TEXTS},
    ),
    "INVALID_INSTRUMENT": Refusal(
        "Not `EXCHANGE:SYMBOL`, or an exchange that is not served.",
        "instrument must be EXCHANGE:SYMBOL with an exchange of BSE, NSE and a symbol of 1 to 32 of A-Z, 0-9, &, ."
        " and -",
        {
            "field": "instrument",
            "instrument": "RELIANCE",
            "expected_format": "EXCHANGE:SYMBOL",
            "exchanges": ["BSE", "NSE"],
        },
        {"field": _FIELD, "instrument": _STATED, "expected_format": TEXT, "exchanges": _TEXTS},
        ("field", "instrument", "expected_format", "exchanges"),
    ),
    "INVALID_QUANTITY": Refusal(
        "Less than one share for each slice, or too many.",
        "total_quantity must be at least split_config.num_splits (5)",
        {"field": "total_quantity", "total_quantity": 3, "num_splits": 5, "min": 5},
        {"field": _FIELD, "total_quantity": _COUNT, "num_splits": _COUNT, "min": NUMBER, "max": NUMBER},
        ("field", "total_quantity", "num_splits", "min"),
    ),
    "INVALID_SPLIT_CONFIG": Refusal(
        "A number of slices or a duration out of its limits.",
        "split_config.num_splits must be from 2 to 100",
        {"field": "split_config.num_splits", "num_splits": 101, "min": 2, "max": 100},
        {"field": _FIELD, "num_splits": _COUNT, "duration_minutes": _COUNT, "min": NUMBER, "max": NUMBER},
        ("field", "min", "max"),
    ),
    "SECOND_FACTOR_REQUIRED": Refusal(
        "The password is right; a code of the second factor is missing, not right, or was used before.",
        "this takes a code of the second factor too",
        {"field": "totp_code"},
        {"field": _FIELD},
        ("field",),
    ),
    "FORBIDDEN": Refusal(
        "A good token whose role or scopes do not allow this.",
        "the role viewer does not have orders:write",
        {"role": "viewer", "needed": "orders:write"},
        {"role": TEXT, "needed": {**TEXT, "description": "A scope, or `login`."}, "field": _FIELD},
    ),
    "SECOND_FACTOR_SETUP_REQUIRED": Refusal(
        "The role needs a second factor, and the account has none: this login can only set one up.",
        "the role admin needs a second factor: set one up, then log in again",
        {"role": "admin"},
        {"role": TEXT},
        ("role",),
    ),
    "NOT_FOUND": Refusal("There is no such thing, or it belongs to another account.", "there is no such order"),
    "ARCHIVED": Refusal(
        "It was moved to the archive: the slices of an order with all that belongs to them, or the events right after"
        " the one named. Those after `details.after` are here.",
        "the slices of the order were moved to the archive",
        {"archived_at": "2027-03-01T01:00:00.000000Z"},
        {"archived_at": TEXT, "after": NUMBER},
    ),
    "DUPLICATE_ORDER_UNIQUE_KEY": Refusal(
        "The key was used for another order.",
        "order_unique_key was used before for an order that differs in side",
        {
            "field": "order_unique_key",
            "order_unique_key": "my-order-1",
            "existing_order_id": "ord_01M83H8RHMTHDRXSMTYCVNSZWN",
            "differs": ["side"],
        },
        {
            "field": _FIELD,
            "order_unique_key": TEXT,
            "existing_order_id": TEXT,
            "differs": {**_TEXTS, "description": "The fields that are not the same."},
        },
        ("field", "order_unique_key", "existing_order_id", "differs"),
    ),
    "PLAN_CHANGED": Refusal(
        "The order would not be what its `plan_token` was given for: `differs` names each input, or each slice, before"
        " and after. Nothing was done; preview it again.",
        "the plan is not what was previewed: slice 5; preview the order again",
        {
            "differs": [
                {
                    "sequence_number": 5,
                    "before": {"scheduled_at": "2026-11-23T07:25:06.100000Z", "quantity": 20},
                    "after": {"scheduled_at": "2026-11-23T07:20:06.100000Z", "quantity": 20},
                }
            ]
        },
        {
            "differs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"field": _FIELD, "sequence_number": NUMBER, "before": {}, "after": {}},
                    "required": ["before", "after"],
                },
            }
        },
        ("differs",),
    ),
    "INVALID_STATE": Refusal(
        "The state of things does not allow it: a status, a name that is taken, a number that is reached.",
        "the order is DONE and cannot be cancelled",
        {"status": "DONE"},
        {"status": _STATUS, "field": _FIELD, "limit": NUMBER, "max": NUMBER, "account_id": TEXT},
    ),
    "HALTED": Refusal(
        "Somebody has halted what the order asks for: none is taken until the halt is released.",
        "no new orders are taken while a halt is in force: prices make no sense",
        {
            "halt_id": "halt_01M83HK5Z6A7B8C9D0E1F2G3H4",
            "reason": "prices make no sense",
            "since": "2026-11-23T06:40:20.733000Z",
        },
        {"halt_id": TEXT, "reason": TEXT, "since": TEXT},
        ("halt_id", "reason", "since"),
    ),
    "RISK_LIMIT": Refusal(
        "The order would pass a limit of the account, or its slices could not get out in their window at the broker's"
        " limits. Whole numbers are numbers, worths and percent are text.",
        "the account has 1000 open orders, and may have 1000",
        {"limit": "open_orders", "most": 1000, "accepted": 1000, "asked": 1, "left": 0},
        {
            "limit": {"enum": [*LimitName, "open_slices", "window"], "type": "string"},
            "most": {**_LIMIT, "description": "How much there may be."},
            "accepted": {**_LIMIT, "description": "How much there is."},
            "asked": {**_LIMIT, "description": "How much more there would be, or what may not be traded."},
            "left": {**_LIMIT, "description": "How much more there may be."},
            "limit_price": {**TEXT, "description": "With price_collar_percent."},
            "last_price": {**TEXT, "description": "With price_collar_percent: what it is compared with."},
            "usual_volume": {**NUMBER, "description": "With volume_share_percent: units a day."},
        },
        ("limit", "asked"),
    ),
    "MARKET_CLOSED": Refusal(
        "The market is closed in the window or a part of it; `next_session` is the next one with room.",
        "the market is closed then; next_session says when it would fit, and `session` what else can be asked",
        {
            "exchange": "NSE",
            "day": "2026-11-27",
            "day_name": None,
            "cut_off": None,
            "next_session": {"start": "2026-11-30T03:45:00.000000Z", "end": "2026-11-30T09:45:00.000000Z"},
        },
        {
            "exchange": TEXT,
            "day": {**TEXT, "description": "The date of the exchange on which the window would begin."},
            "day_name": {"type": ["string", "null"], "description": "Why the day is not as its weekday has it."},
            "cut_off": {"type": ["string", "null"], "description": "Until when the product is taken on that day."},
            "next_session": _SESSION,
        },
        ("exchange", "day", "next_session"),
    ),
    "BEYOND_CALENDAR": Refusal(
        "The calendar of the exchange does not reach so far: it is not known whether it trades then.",
        "the calendar of NSE is known until 2026-12-31: let the window end by then, or have the operator install the"
        " release with the next year's calendar",
        {"exchange": "NSE", "day": "2027-01-01", "valid_until": "2026-12-31"},
        {"exchange": TEXT, "day": TEXT, "valid_until": TEXT},
        ("exchange", "day", "valid_until"),
    ),
    "INSTRUMENT_NOT_TRADABLE": Refusal(
        "The broker does not list the instrument, it expires before the order ends, or it is not traded with the"
        " product or the order type.",
        "NFO:NIFTY26DECFUT is not traded with product CNC; it takes MIS, NRML",
        {"field": "product", "instrument": "NFO:NIFTY26DECFUT", "rule": "product of it", "allowed": ["MIS", "NRML"]},
        {
            "field": _FIELD,
            "instrument": TEXT,
            "rule": _RULE,
            "allowed": _TEXTS,
            "expires_on": {**TEXT, "description": "The last day of the contract."},
            "listed_at": {**TEXT, "description": "The date of the list, where the instrument is traded."},
        },
        ("field", "instrument", "rule"),
    ),
    "INVALID_LOT": Refusal(
        "The quantity is not a number of whole lots with one for each slice; `nearest` would do.",
        "NFO:NIFTY26DECFUT is traded in lots of 65: take 650 or 715",
        {
            "field": "total_quantity",
            "instrument": "NFO:NIFTY26DECFUT",
            "total_quantity": 700,
            "lot_size": 65,
            "nearest": [650, 715],
        },
        {"field": _FIELD, "instrument": TEXT, "total_quantity": NUMBER, "lot_size": NUMBER, "nearest": _NUMBERS},
        ("field", "instrument", "total_quantity", "lot_size", "nearest"),
    ),
    "INVALID_TICK": Refusal(
        "The limit price lies between two prices that the instrument can have; `nearest` would do.",
        "limit_price 1402.37 is between two prices of NSE:RELIANCE, which moves in steps of 0.1: take 1402.3 or 1402.4",
        {
            "field": "limit_price",
            "instrument": "NSE:RELIANCE",
            "limit_price": "1402.37",
            "tick_size": "0.1",
            "nearest": ["1402.3", "1402.4"],
        },
        {"field": _FIELD, "instrument": TEXT, "limit_price": TEXT, "tick_size": TEXT, "nearest": _TEXTS},
        ("field", "instrument", "limit_price", "tick_size", "nearest"),
    ),
    "QUANTITY_TOO_LARGE": Refusal(
        "A slice would have more than the exchange or the broker lets through in one order. `min_num_splits` slices"
        " would do; where that is more than there may be, `max_total_quantity` would. Of an order that is"
        " amended: the rest of its window has no room for so much.",
        "a slice of NFO:NIFTY26DECFUT may have 1755 at most: 6 slices would do",
        {
            "field": "split_config.num_splits",
            "instrument": "NFO:NIFTY26DECFUT",
            "total_quantity": 9750,
            "max_slice_quantity": 1755,
            "freeze_quantity": 1800,
            "max_quantity": 100_000,
            "min_num_splits": 6,
        },
        {
            "field": _FIELD,
            "instrument": TEXT,
            "total_quantity": NUMBER,
            "max_slice_quantity": {**NUMBER, "description": "In whole lots."},
            "freeze_quantity": {"type": ["integer", "null"], "description": "The exchange's cap of one order."},
            "max_quantity": {"type": ["integer", "null"], "description": "The broker's cap of one order."},
            "min_num_splits": NUMBER,
            "max_total_quantity": NUMBER,
        },
        ("field", "instrument", "total_quantity", "max_slice_quantity"),
    ),
    "QUANTITY_TOO_SMALL": Refusal(
        "Less than what is filled of the order, or was sent and may still be filled. `min` would do.",
        "total_quantity can be 60 at the least: so much is filled, or was sent and may still be filled",
        {"field": "total_quantity", "total_quantity": 50, "min": 60},
        {"field": _FIELD, "total_quantity": NUMBER, "min": NUMBER},
        ("field", "total_quantity", "min"),
    ),
    "INSUFFICIENT_HOLDINGS": Refusal(
        "The broker account has fewer shares than the order would sell, beside what its open orders will sell.",
        "the order would sell 100 of NSE:RELIANCE, and 40 are free to be sold",
        {
            "field": "total_quantity",
            "instrument": "NSE:RELIANCE",
            "total_quantity": 100,
            "holdings": 60,
            "promised": 20,
            "free": 40,
        },
        {
            "field": _FIELD,
            "instrument": TEXT,
            "total_quantity": NUMBER,
            "holdings": {**NUMBER, "description": "What the broker says that can be sold."},
            "promised": {**NUMBER, "description": "Of that, what open orders will sell."},
            "free": {**NUMBER, "description": "What they leave."},
        },
        ("field", "instrument", "total_quantity", "holdings", "promised", "free"),
    ),
    "UNKNOWN_BROKER_ACCOUNT": Refusal(
        "There is no broker account of this name.",
        "there is no broker account zerodha-2",
        {"field": "broker_account", "broker_account": "zerodha-2"},
        {"field": _FIELD, "broker_account": TEXT},
        ("field", "broker_account"),
    ),
    "BROKER_ACCOUNT_NOT_GRANTED": Refusal(
        "Real money is traded there, and the caller has no grant for it: an admin gives one.",
        "you may not trade with the broker account zerodha: an admin has to grant it",
        {"field": "broker_account", "broker_account": "zerodha"},
        {"field": _FIELD, "broker_account": TEXT},
        ("field", "broker_account"),
    ),
    "IDEMPOTENCY_KEY_REUSED": Refusal(
        "The Idempotency-Key was used for another request.", "Idempotency-Key was used before for another request"
    ),
    "IDEMPOTENCY_KEY_IN_USE": Refusal(
        "The first call with this Idempotency-Key is still under way; `Retry-After` says when to ask again.",
        "the first call with this Idempotency-Key is still under way",
        {"retry_after_seconds": 1},
        {"retry_after_seconds": SECONDS},
        ("retry_after_seconds",),
    ),
    "IDEMPOTENCY_OUTCOME_UNKNOWN": Refusal(
        "The first call with this Idempotency-Key broke off, and may have been done: look, then use another key.",
        "the first call with this Idempotency-Key broke off, and may have been done",
    ),
    "PRECONDITION_FAILED": Refusal(
        "It is not the version that `If-Match` names: it has changed since. Nothing was done.",
        "it has changed since it was read",
        {"etag": '"45038549f7c027dff126e3d9f3a5cb82be250428"'},
        {"etag": {**TEXT, "description": "Of its version now."}},
        ("etag",),
    ),
    "PRECONDITION_REQUIRED": Refusal(
        "It is changed only as it was seen, and `If-Match` is missing. Nothing was done.",
        "If-Match must say which version is to be changed, or * for any",
        {"field": "If-Match", "rule": "required"},
        {"field": _FIELD, "rule": _RULE},
        ("field", "rule"),
    ),
    "PAYLOAD_TOO_LARGE": Refusal("The body has more than 64 KiB.", "request entity too large"),
    "UNSUPPORTED_MEDIA_TYPE": Refusal(
        "The body is not `application/json` in UTF-8, or is compressed.", "Content-Type must be application/json"
    ),
    "INTERNAL_ERROR": Refusal("A defect on our side; it was logged.", "something went wrong on our side"),
}
