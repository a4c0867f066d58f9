"""The vocabulary of orders, revocations and webhooks, as used in requests, in answers and in the database."""

from enum import StrEnum
from typing import Self

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


class InstrumentKind(Explained):
    """What is traded."""

    EQUITY = "EQUITY", "a share, a fund, a bond: what is bought for its whole price"
    FUTURE = "FUTURE", "a future"
    CALL = "CALL", "an option to buy"
    PUT = "PUT", "an option to sell"


class LoadOutcome(Explained):
    """How the load of a broker's list ended; after any but the first, the list of before stays in force."""

    LOADED = "LOADED", "its list is in force, until a later one is"
    REFUSED = "REFUSED", "its list had shrunk, and was not taken"
    FAILED = "FAILED", "the list could not be read as a whole"


class SessionRule(Explained):
    """What becomes of an order's window where its market is closed."""

    REFUSE = "refuse", "the order is refused unless its whole window lies in one session"
    WAIT = "wait", "the window begins when its market takes it, and its time runs only while it does"
    AT_OPEN = "at_open", "the window begins with the next session"


class OrderStatus(Explained):
    PENDING = "PENDING", "accepted, not yet split"
    IN_PROGRESS = "IN_PROGRESS", "its slices are sent at their times"
    PAUSED = "PAUSED", "no further slices are sent"
    CANCELLING = "CANCELLING", "no further slices are sent; working ones are being cancelled at the broker"
    CANCELLED = "CANCELLED", "cancelled, every slice has ended; fills are kept"
    DONE = "DONE", "every slice has ended; `result` is FILLED, PARTIALLY_FILLED or UNFILLED"
    SKIPPED = "SKIPPED", "could not be split; `skip_reason` says why"


class OrderResult(StrEnum):
    FILLED = "FILLED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    UNFILLED = "UNFILLED"


class BrokerAccountState(Explained):
    """Whether slices can be placed with a broker account now."""

    READY = "READY", "its credentials work, as far as is known"
    AWAITING_TOKEN = "AWAITING_TOKEN", "somebody has to log in: its token has ended, or it never had one"
    BLOCKED = "BLOCKED", "the broker refuses the account itself, as from an address that is not registered"


class PlanWarning(Explained):
    """What a preview says of an order that may be placed all the same."""

    ACCOUNT_HELD = "ACCOUNT_HELD", "its broker account is held: nothing is sent until that ends"
    BEGINS_LATER = "BEGINS_LATER", "its market is closed at its start; its window begins when that opens"
    PAUSES = "PAUSES", "its market takes no orders in a part of its window, and its slices wait meanwhile"
    SESSION_END = "SESSION_END", "its window ends with its market's time: its last slice goes out a little before"
    UNEVEN_LOTS = "UNEVEN_LOTS", "its lots cannot be shared out evenly among its slices"
    NO_ROOM = (
        "NO_ROOM",
        "so many slices do not fit at the limits of the account or of its broker: placed now, it is refused",
    )
    FUNDS_SHORT = "FUNDS_SHORT", "the broker asks for more margin than the account has"
    HOLDINGS_SHORT = "HOLDINGS_SHORT", "the account has fewer shares than it would sell"


class SliceStatus(Explained):
    SCHEDULED = "SCHEDULED", "planned, nothing at the broker"
    SENDING = "SENDING", "claimed; a request may be on its way"
    UNKNOWN = (
        "UNKNOWN",
        "may be live at the broker; the broker's order book or a late answer decides, or an operator when no book can",
    )
    WORKING = "WORKING", "at the broker, perhaps partly filled"
    FILLED = "FILLED", "the whole quantity was filled"
    CANCELLED = "CANCELLED", "cancelled with its order, at the broker or before it was sent; may have fills"
    REJECTED = "REJECTED", "refused by the broker; may have fills"
    EXPIRED = "EXPIRED", "cancelled at the broker at its deadline, or ended with the broker's day; may have fills"
    FAILED = "FAILED", "not at the broker; no attempts left"
    SKIPPED = "SKIPPED", "never sent, and never will be: too late, or nothing left to send"


class HoldReason(StrEnum):
    """Why nothing of an order is sent for now, what that means, and what ends it. It spends nothing.

    The last two are of its broker account, and hold all orders there.
    """

    _value_: str
    meaning: str
    ended_by: str

    def __new__(cls, word: str, meaning: str = "", ended_by: str = "") -> Self:
        reason = str.__new__(cls, word)
        reason._value_ = word
        reason.meaning = meaning
        reason.ended_by = ended_by
        return reason

    FUNDS = (
        "FUNDS",
        "the broker account lacks funds for it",
        "its broker shows that the margin is there, or somebody resumes the order",
    )
    HOLDINGS = (
        "HOLDINGS",
        "the broker account lacks the shares to sell, or may not sell them",
        "its broker shows that the shares are there, or somebody resumes the order",
    )
    SESSION = "SESSION", "the broker says that the market is closed or halted", "the market takes orders again"
    INVALID = (
        "INVALID",
        "the broker refused its first slice for what the order asks, and would refuse the others alike",
        "somebody resumes the order once its cause is gone, or cancels it",
    )
    LIMIT = (
        "LIMIT",
        "its next slice would pass a limit of its account",
        "the limit is raised, the day is over, or somebody resumes the order",
    )
    AWAITING_TOKEN = (
        "AWAITING_TOKEN",
        "the login of its broker account has ended",
        "somebody logs in to the broker account",
    )
    BLOCKED = (
        "BLOCKED",
        "the broker refuses the broker account itself",
        "an operator sees to the broker account",
    )


class RevocationKind(StrEnum):
    """What a revocation names: one access token, all of one login, one API key, or all of an account."""

    TOKEN = "TOKEN"  # noqa: S105
    SESSION = "SESSION"
    KEY = "KEY"
    ACCOUNT = "ACCOUNT"


class OpenOrders(StrEnum):
    """What becomes of the open orders of an account that is off-boarded."""

    KEEP = "keep"
    PAUSE = "pause"
    CANCEL = "cancel"


class WebhookFeed(StrEnum):
    """What is posted to a webhook: what happens to the account's orders, or to everybody's alarms."""

    ORDERS = "orders"
    ALARMS = "alarms"


class WebhookStatus(Explained):
    PENDING = "PENDING", "no delivery was accepted there yet; what happens meanwhile is posted later"
    ACTIVE = "ACTIVE", "what happens is posted"
    DISABLED = "DISABLED", "nothing is posted until it is enabled again"
    ENDED = "ENDED", "nothing is posted: its account is disabled, or the key it was made with has ended"


class DeliveryKind(StrEnum):
    """What was posted: new events, a test, or an event once more because somebody asked for it."""

    EVENTS = "EVENTS"
    TEST = "TEST"
    REDELIVERY = "REDELIVERY"


class DeliveryStatus(Explained):
    WAITING = "WAITING", "not posted yet"
    DELIVERED = "DELIVERED", "accepted by the receiver"
    FAILED = "FAILED", "not accepted; `error` says why"


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
