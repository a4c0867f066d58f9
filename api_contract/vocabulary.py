"""The words of an order's life and of revocations, as they stand in requests, in answers and in the database."""

from enum import StrEnum

from api_contract.explained import Explained


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


class RevocationKind(StrEnum):
    """What a revocation names: one access token, all of one login, one API key, or all of an account."""

    TOKEN = "TOKEN"  # noqa: S105
    SESSION = "SESSION"
    KEY = "KEY"
    ACCOUNT = "ACCOUNT"


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
FINAL_ORDERS = frozenset({OrderStatus.DONE, OrderStatus.CANCELLED, OrderStatus.SKIPPED})
