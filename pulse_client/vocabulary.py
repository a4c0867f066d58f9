"""The words of the public API, as requests and answers have them.

An answer may have a word that is not here yet, where the service is newer: it is kept as it came, as a `str`.
"""

from enum import StrEnum


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class OrderType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"


class Product(StrEnum):
    CNC = "CNC"
    MIS = "MIS"
    NRML = "NRML"


class InstrumentKind(StrEnum):
    EQUITY = "EQUITY"
    FUTURE = "FUTURE"
    CALL = "CALL"
    PUT = "PUT"


class LoadOutcome(StrEnum):
    LOADED = "LOADED"
    REFUSED = "REFUSED"
    FAILED = "FAILED"


class SessionRule(StrEnum):
    REFUSE = "refuse"
    WAIT = "wait"
    AT_OPEN = "at_open"


class WorkingSlices(StrEnum):
    KEEP = "keep"
    CANCEL = "cancel"


class CatchUp(StrEnum):
    SPREAD = "spread"
    NEXT_SLICE = "next_slice"
    BURST = "burst"
    SKIP = "skip"


class Leftover(StrEnum):
    CATCH_UP = "catch_up"
    DROP = "drop"


class AtEnd(StrEnum):
    LEAVE = "leave"
    MARKET = "market"


class NotFittingReason(StrEnum):
    NO_ROOM = "NO_ROOM"
    WINDOW_OVER = "WINDOW_OVER"
    SKIPPED = "SKIPPED"
    DROPPED = "DROPPED"
    ODD_LOT = "ODD_LOT"
    TOO_MANY_SLICES = "TOO_MANY_SLICES"


class PlanWarning(StrEnum):
    ACCOUNT_HELD = "ACCOUNT_HELD"
    BEGINS_LATER = "BEGINS_LATER"
    PAUSES = "PAUSES"
    SESSION_END = "SESSION_END"
    UNEVEN_LOTS = "UNEVEN_LOTS"
    NO_ROOM = "NO_ROOM"
    FUNDS_SHORT = "FUNDS_SHORT"
    HOLDINGS_SHORT = "HOLDINGS_SHORT"


class BrokerAccountState(StrEnum):
    READY = "READY"
    AWAITING_TOKEN = "AWAITING_TOKEN"  # noqa: S105
    BLOCKED = "BLOCKED"


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


class HoldReason(StrEnum):
    FUNDS = "FUNDS"
    HOLDINGS = "HOLDINGS"
    SESSION = "SESSION"
    INVALID = "INVALID"
    LIMIT = "LIMIT"
    HALTED = "HALTED"
    AWAITING_TOKEN = "AWAITING_TOKEN"  # noqa: S105
    BLOCKED = "BLOCKED"


class HaltStatus(StrEnum):
    ACTIVE = "ACTIVE"
    RELEASING = "RELEASING"
    RELEASED = "RELEASED"


class HaltedWorking(StrEnum):
    CANCEL = "cancel"
    KEEP = "keep"


class HaltedState(StrEnum):
    WORKING = "WORKING"
    UNKNOWN = "UNKNOWN"
    CANCELLED = "CANCELLED"
    FILLED = "FILLED"
    NOT_PLACED = "NOT_PLACED"
    UNSENT = "UNSENT"


class WebhookFeed(StrEnum):
    ORDERS = "orders"
    ALARMS = "alarms"


class WebhookStatus(StrEnum):
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"
    ENDED = "ENDED"


class DeliveryKind(StrEnum):
    EVENTS = "EVENTS"
    TEST = "TEST"
    REDELIVERY = "REDELIVERY"


class DeliveryStatus(StrEnum):
    WAITING = "WAITING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


class AlarmCode(StrEnum):
    TURNED_UP = "TURNED_UP"
    LOST_CLAIM = "LOST_CLAIM"
    DUPLICATE_ORDERS = "DUPLICATE_ORDERS"
    MISSING_FROM_BOOK = "MISSING_FROM_BOOK"
    BOOK_PROVES_NOTHING = "BOOK_PROVES_NOTHING"
    LEFT_TO_OPERATORS = "LEFT_TO_OPERATORS"
    DAY_OVER = "DAY_OVER"
    END_UNSEEN = "END_UNSEEN"
    FILL_AFTER_END = "FILL_AFTER_END"
    SLICE_OVERFILLED = "SLICE_OVERFILLED"
    ORDER_OVERFILLED = "ORDER_OVERFILLED"
    SLICE_LOWERED = "SLICE_LOWERED"
    NO_ROOM = "NO_ROOM"
    CUT_OFF_PASSED = "CUT_OFF_PASSED"
    ORDER_HELD = "ORDER_HELD"
    PRICE_REFUSED = "PRICE_REFUSED"
    LIMIT_REACHED = "LIMIT_REACHED"
    UNEXPLAINED_ORDERS = "UNEXPLAINED_ORDERS"
    SENDING_HELD = "SENDING_HELD"
    HALTED = "HALTED"
    ACCOUNT_HELD = "ACCOUNT_HELD"
    TOKEN_ENDS = "TOKEN_ENDS"  # noqa: S105
    INSTRUMENTS_STALE = "INSTRUMENTS_STALE"
    CALENDAR_DIFFERS = "CALENDAR_DIFFERS"
    LOGIN_ATTACK = "LOGIN_ATTACK"


class AlarmStatus(StrEnum):
    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RESOLVED = "RESOLVED"


class OpenOrders(StrEnum):
    """What becomes of the open orders of an account that is off-boarded."""

    KEEP = "keep"
    PAUSE = "pause"
    CANCEL = "cancel"


class Role(StrEnum):
    VIEWER = "viewer"
    TRADER = "trader"
    OPERATOR = "operator"
    ADMIN = "admin"


FINAL_ORDERS = frozenset({OrderStatus.DONE, OrderStatus.CANCELLED, OrderStatus.SKIPPED})
FINAL_SLICES = frozenset(
    {
        SliceStatus.FILLED,
        SliceStatus.CANCELLED,
        SliceStatus.REJECTED,
        SliceStatus.EXPIRED,
        SliceStatus.FAILED,
        SliceStatus.SKIPPED,
    }
)
