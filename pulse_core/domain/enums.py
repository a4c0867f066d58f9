"""The words of an order's life, as they stand in the database and in every answer."""

from enum import StrEnum

from pulse_core.domain.explained import Explained


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


class OrderStatus(Explained):
    PENDING = "PENDING", "accepted, not split"
    IN_PROGRESS = "IN_PROGRESS", "its slices go out at their times"
    PAUSED = "PAUSED", "nothing new goes out"
    CANCELLING = "CANCELLING", "nothing new goes out, what works is called back"
    CANCELLED = "CANCELLED", "cancelled, every slice has ended; fills are kept"
    DONE = "DONE", "every slice has ended; `result` is FILLED, PARTIALLY_FILLED or UNFILLED"
    SKIPPED = "SKIPPED", "could not be split; `skip_reason` says why"


class OrderResult(StrEnum):
    FILLED = "FILLED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    UNFILLED = "UNFILLED"


class SliceStatus(Explained):
    SCHEDULED = "SCHEDULED", "planned, nothing at the broker"
    SENDING = "SENDING", "claimed; a request may be on its way"
    UNKNOWN = (
        "UNKNOWN",
        "may be live at the broker; only the broker's book or a late answer of it can tell, or an operator when no book"
        " can",
    )
    WORKING = "WORKING", "at the broker, perhaps partly filled"
    FILLED = "FILLED", "the whole quantity was filled"
    CANCELLED = "CANCELLED", "called back with its order, or never sent because of it; may carry fills"
    REJECTED = "REJECTED", "the broker said no; may carry fills"
    EXPIRED = "EXPIRED", "called back at its deadline, or ended with the broker's day; may carry fills"
    FAILED = "FAILED", "not at the broker, attempts used up"
    SKIPPED = "SKIPPED", "never sent, and never will be: too late, or nothing left to send"


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
