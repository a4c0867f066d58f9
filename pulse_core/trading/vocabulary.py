"""Words that are stored in the database but never shown as they are."""

from enum import StrEnum


class CancelReason(StrEnum):
    """Why Pulse asked the broker to cancel a working slice."""

    DEADLINE = "DEADLINE"
    ORDER_CANCELLED = "ORDER_CANCELLED"
    HALTED = "HALTED"
    ORDER_PAUSED = "ORDER_PAUSED"


class PlacementOutcome(StrEnum):
    """How an attempt to place a slice ended; none while it may still be under way."""

    ACKNOWLEDGED = "ACKNOWLEDGED"
    REFUSED = "REFUSED"
    NOT_SENT = "NOT_SENT"
    UNKNOWN = "UNKNOWN"
    ABSENT = "ABSENT"
