"""Everything Pulse refuses, as one tree.

PulseError
    InvalidRequest
        InvalidInstrument
        InvalidQuantity
        InvalidSplitConfig
    Unauthorized
    Forbidden
    NotFound
    DuplicateOrderUniqueKey
    InvalidState
    RateLimited
    IllegalMove             a defect of ours: a move that the state table does not have
    LostRace                somebody else moved a slice or an order first
    DatabaseUnavailable
        SharedSession
"""

from collections.abc import Mapping
from typing import Any


class PulseError(Exception):
    """A refusal with a stable code, a sentence for a person and details for a program."""

    code = "INTERNAL_ERROR"

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})


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


class Forbidden(PulseError):
    code = "FORBIDDEN"


class NotFound(PulseError):
    code = "NOT_FOUND"


class DuplicateOrderUniqueKey(PulseError):
    code = "DUPLICATE_ORDER_UNIQUE_KEY"


class InvalidState(PulseError):
    code = "INVALID_STATE"


class RateLimited(PulseError):
    """Too many attempts; `retry_after` is in whole seconds."""

    code = "RATE_LIMITED"

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message, {"retry_after_seconds": retry_after})


class IllegalMove(PulseError):
    code = "INTERNAL_ERROR"


class LostRace(PulseError):
    """A slice or an order has no longer the status that it was seen in; whoever does not expect that rolls back."""

    code = "INTERNAL_ERROR"


class DatabaseUnavailable(PulseError):
    code = "SERVICE_UNAVAILABLE"


class RowsLocked(DatabaseUnavailable):
    """Others held the rows for longer than a statement may wait; whoever wants other rows may fare better."""


class SharedSession(DatabaseUnavailable):
    """A proxy lets several connections use one session of Postgres: no lock of a session protects anything."""
