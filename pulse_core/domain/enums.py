"""The words of an order's life, as they stand in the database and in every answer."""

from enum import StrEnum


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"


class Product(StrEnum):
    """How a position is carried: delivery, intraday, or overnight in derivatives."""

    CNC = "CNC"
    MIS = "MIS"
    NRML = "NRML"


class OrderStatus(StrEnum):
    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    PAUSED = "PAUSED"
    CANCELLING = "CANCELLING"
    CANCELLED = "CANCELLED"
    DONE = "DONE"
    SKIPPED = "SKIPPED"


class OrderResult(StrEnum):
    FILLED = "FILLED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    UNFILLED = "UNFILLED"


class SliceStatus(StrEnum):
    SCHEDULED = "SCHEDULED"
    SENDING = "SENDING"
    UNKNOWN = "UNKNOWN"
    WORKING = "WORKING"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class CancelReason(StrEnum):
    """Why Pulse asked the broker to cancel a working slice."""

    DEADLINE = "DEADLINE"
    ORDER_CANCELLED = "ORDER_CANCELLED"


class EventKind(StrEnum):
    MOVE = "MOVE"
    BROKER_CALL = "BROKER_CALL"
    FILL = "FILL"
    ALARM = "ALARM"
    REQUEST = "REQUEST"


class Role(StrEnum):
    VIEWER = "viewer"
    TRADER = "trader"
    OPERATOR = "operator"
    ADMIN = "admin"


class Scope(StrEnum):
    """What a role, or an API key of it, may do; `roles.py` says which role has which."""

    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    SLICES_OPERATE = "slices:operate"
    EVENTS_READ = "events:read"


class SessionEnd(StrEnum):
    """Why a login ended before its time."""

    LOGOUT = "LOGOUT"
    REUSE = "REUSE"
    ACCOUNT = "ACCOUNT"


class RevocationKind(StrEnum):
    """What a revocation names: one access token, all of one login, one API key, or all of an account."""

    TOKEN = "TOKEN"  # noqa: S105
    SESSION = "SESSION"
    KEY = "KEY"
    ACCOUNT = "ACCOUNT"


class PlacementOutcome(StrEnum):
    """How an attempt to place a slice ended; none while it may still be under way."""

    ACKNOWLEDGED = "ACKNOWLEDGED"
    REFUSED = "REFUSED"
    NOT_SENT = "NOT_SENT"
    UNKNOWN = "UNKNOWN"
    ABSENT = "ABSENT"
