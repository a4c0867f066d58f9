"""Everything that a service of Pulse refuses or cannot do, as one tree, and the HTTP status of each code.

PulseError
    InvalidRequest
        InvalidInstrument
        InvalidQuantity
        InvalidSplitConfig
    Unauthorized
    SecondFactorRequired
    Forbidden
    SecondFactorSetupRequired
    NotFound
    Archived
    DuplicateOrderUniqueKey
    PlanChanged
    InvalidState
    Halted
    RiskLimit
    MarketClosed
    BeyondCalendar
    NotListedSo
        InstrumentNotTradable
        InvalidLot
        InvalidTick
        QuantityTooLarge
    QuantityTooSmall
    InsufficientHoldings
    UnknownBrokerAccount
    BrokerAccountNotGranted
    IdempotencyKeyReused
    IdempotencyKeyInUse
    IdempotencyOutcomeUnknown
    PreconditionFailed
    PreconditionRequired
    UnsupportedMediaType
    RateLimited
    ServiceUnavailable
"""

from collections.abc import Mapping
from typing import Any

# In the order in which the specifications list them. Each service answers with some of them.
HTTP_STATUS = {
    "INVALID_REQUEST": 400,
    "INVALID_INSTRUMENT": 400,
    "INVALID_QUANTITY": 400,
    "INVALID_SPLIT_CONFIG": 400,
    "UNAUTHORIZED": 401,
    "SECOND_FACTOR_REQUIRED": 401,
    "FORBIDDEN": 403,
    "SECOND_FACTOR_SETUP_REQUIRED": 403,
    "BROKER_ACCOUNT_NOT_GRANTED": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "DUPLICATE_ORDER_UNIQUE_KEY": 409,
    "PLAN_CHANGED": 409,
    "INVALID_STATE": 409,
    "HALTED": 409,
    "IDEMPOTENCY_KEY_REUSED": 409,
    "IDEMPOTENCY_KEY_IN_USE": 409,
    "IDEMPOTENCY_OUTCOME_UNKNOWN": 409,
    "ARCHIVED": 410,
    "PRECONDITION_FAILED": 412,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "RISK_LIMIT": 422,
    "MARKET_CLOSED": 422,
    "BEYOND_CALENDAR": 422,
    "INSTRUMENT_NOT_TRADABLE": 422,
    "INVALID_LOT": 422,
    "INVALID_TICK": 422,
    "QUANTITY_TOO_LARGE": 422,
    "QUANTITY_TOO_SMALL": 422,
    "INSUFFICIENT_HOLDINGS": 422,
    "UNKNOWN_BROKER_ACCOUNT": 422,
    "PRECONDITION_REQUIRED": 428,
    "RATE_LIMITED": 429,
    "INTERNAL_ERROR": 500,
    "DATABASE_ERROR": 500,
    "UPSTREAM_ERROR": 502,
    "SERVICE_UNAVAILABLE": 503,
    "UPSTREAM_TIMEOUT": 504,
}


class PulseError(Exception):
    """A refusal with a stable code, a sentence for a person and details for a program."""

    code = "INTERNAL_ERROR"

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return HTTP_STATUS[self.code]


class InvalidRequest(PulseError):
    code = "INVALID_REQUEST"


class InvalidInstrument(InvalidRequest):
    code = "INVALID_INSTRUMENT"


class InvalidQuantity(InvalidRequest):
    code = "INVALID_QUANTITY"


class InvalidSplitConfig(InvalidRequest):
    code = "INVALID_SPLIT_CONFIG"


class Unauthorized(PulseError):
    code = "UNAUTHORIZED"


class SecondFactorRequired(PulseError):
    """The password was right, and a code of the second factor is missing or wrong."""

    code = "SECOND_FACTOR_REQUIRED"


class Forbidden(PulseError):
    code = "FORBIDDEN"


class SecondFactorSetupRequired(PulseError):
    """The role asks for a second factor, and this login was begun without one."""

    code = "SECOND_FACTOR_SETUP_REQUIRED"


class NotFound(PulseError):
    code = "NOT_FOUND"


class Archived(PulseError):
    """It was here, and is kept in the archive only."""

    code = "ARCHIVED"


class DuplicateOrderUniqueKey(PulseError):
    code = "DUPLICATE_ORDER_UNIQUE_KEY"


class PlanChanged(PulseError):
    """An order that is to be placed as it was previewed would not be."""

    code = "PLAN_CHANGED"


class InvalidState(PulseError):
    code = "INVALID_STATE"


class Halted(PulseError):
    code = "HALTED"


class RiskLimit(PulseError):
    code = "RISK_LIMIT"


class MarketClosed(PulseError):
    code = "MARKET_CLOSED"


class BeyondCalendar(PulseError):
    code = "BEYOND_CALENDAR"


class NotListedSo(PulseError):
    """What the broker's list of instruments says does not let the order through."""


class InstrumentNotTradable(NotListedSo):
    code = "INSTRUMENT_NOT_TRADABLE"


class InvalidLot(NotListedSo):
    code = "INVALID_LOT"


class InvalidTick(NotListedSo):
    code = "INVALID_TICK"


class QuantityTooLarge(NotListedSo):
    code = "QUANTITY_TOO_LARGE"


class QuantityTooSmall(PulseError):
    """Less than was sent already."""

    code = "QUANTITY_TOO_SMALL"


class InsufficientHoldings(PulseError):
    """A sale of more shares than the broker account has, beside what its open orders will sell."""

    code = "INSUFFICIENT_HOLDINGS"


class UnknownBrokerAccount(PulseError):
    code = "UNKNOWN_BROKER_ACCOUNT"


class BrokerAccountNotGranted(PulseError):
    code = "BROKER_ACCOUNT_NOT_GRANTED"


class IdempotencyKeyReused(PulseError):
    code = "IDEMPOTENCY_KEY_REUSED"


class IdempotencyKeyInUse(PulseError):
    """The first call is still under way; `retry_after` is in whole seconds."""

    code = "IDEMPOTENCY_KEY_IN_USE"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, {"retry_after_seconds": retry_after})


class IdempotencyOutcomeUnknown(PulseError):
    code = "IDEMPOTENCY_OUTCOME_UNKNOWN"


class PreconditionFailed(PulseError):
    code = "PRECONDITION_FAILED"


class PreconditionRequired(PulseError):
    """Only what was seen is changed: the request must say which version it means."""

    code = "PRECONDITION_REQUIRED"


class UnsupportedMediaType(PulseError):
    code = "UNSUPPORTED_MEDIA_TYPE"


class RateLimited(PulseError):
    """Too many attempts; `retry_after` is in whole seconds."""

    code = "RATE_LIMITED"

    def __init__(self, message: str, retry_after: int, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, {**(details or {}), "retry_after_seconds": retry_after})


class ServiceUnavailable(PulseError):
    code = "SERVICE_UNAVAILABLE"
