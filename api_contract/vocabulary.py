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
    PAUSED = "PAUSED", "no further slices are sent; working ones are cancelled at the broker if that was asked for"
    CANCELLING = "CANCELLING", "no further slices are sent; working ones are being cancelled at the broker"
    CANCELLED = "CANCELLED", "cancelled, every slice has ended; fills are kept"
    DONE = "DONE", "every slice has ended; `result` is FILLED, PARTIALLY_FILLED or UNFILLED"
    SKIPPED = "SKIPPED", "could not be split; `skip_reason` says why"


class CatchUp(Explained):
    """What becomes of what an order missed, while it was held or paused, or its workers were away."""

    SPREAD = "spread", "it goes out evenly over what is left of the window"
    NEXT_SLICE = "next_slice", "it goes out with the next slice"
    BURST = "burst", "it goes out at once"
    SKIP = "skip", "it is given up"


class Leftover(Explained):
    """What becomes of the rest of a slice that expired, was cancelled by the exchange or was refused for its price."""

    CATCH_UP = "catch_up", "it goes out again, as `catch_up` says"
    DROP = "drop", "it is given up"


class AtEnd(Explained):
    """What becomes of what is still unfilled when the window is over."""

    LEAVE = "leave", "it stays unfilled"
    MARKET = "market", "one last slice is sent at market, within the cap"


class ReplanCause(Explained):
    """Why what is unsent of an order was planned anew."""

    RESUMED = "RESUMED", "the order was resumed"
    RELEASED = "RELEASED", "what held the order is over"
    OVERDUE = "OVERDUE", "slices are late, and would go out together"
    OPENED = "OPENED", "its market has opened, and slices that waited for it would go out together"
    RESTS = "RESTS", "slices have ended with a rest"
    RETRIED = "RETRIED", "an operator has slices sent again"
    WINDOW_OVER = "WINDOW_OVER", "the window is over"


class NotFittingReason(Explained):
    """Why a part of an order is not sent any more."""

    NO_ROOM = "NO_ROOM", "the rest of the window cannot hold it within the cap"
    WINDOW_OVER = "WINDOW_OVER", "the window is over"
    SKIPPED = "SKIPPED", "catch_up is skip"
    DROPPED = "DROPPED", "leftover is drop"
    ODD_LOT = "ODD_LOT", "it is not a whole lot"
    TOO_MANY_SLICES = "TOO_MANY_SLICES", "the order has had as many slices as it may have"


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
    CANCELLED = (
        "CANCELLED",
        "cancelled with its order, at the broker or before it was sent, or called back while paused; may have fills",
    )
    REJECTED = "REJECTED", "refused by the broker; may have fills"
    EXPIRED = "EXPIRED", "cancelled at the broker at its deadline, or ended with the broker's day; may have fills"
    FAILED = "FAILED", "not at the broker; no attempts left"
    SKIPPED = "SKIPPED", "never sent, and never will be: too late, or nothing left to send"


class HoldReason(StrEnum):
    """Why nothing of an order is sent for now, what that means, and what ends it. It spends nothing.

    HALTED is of a halt that the order falls under. The last two are of its broker account, and hold all orders there.
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
    HALTED = (
        "HALTED",
        "somebody has halted it: nothing new is sent",
        "whoever may release the halt does so",
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


class HaltStatus(Explained):
    """How far a halt has come."""

    ACTIVE = "ACTIVE", "nothing new of what it covers is sent, and what works is called back unless that is kept"
    RELEASING = (
        "RELEASING",
        "its release was asked for: nothing is sent until its orders have new times",
    )
    RELEASED = "RELEASED", "its orders go on"


class HaltedWorking(Explained):
    """What becomes of slices that work at the broker when their orders are halted."""

    CANCEL = "cancel", "they are called back, ahead of everything else"
    KEEP = "keep", "they stay at the broker, until their deadlines"


class HaltedState(Explained):
    """How something that a halt covers stands."""

    WORKING = "WORKING", "at the broker"
    UNKNOWN = "UNKNOWN", "on its way to the broker, or nobody knows yet whether it is there"
    CANCELLED = "CANCELLED", "ended at the broker without being filled in full; may have fills"
    FILLED = "FILLED", "filled in full before it could be called back"
    NOT_PLACED = "NOT_PLACED", "not at the broker: refused there, or never taken"
    UNSENT = "UNSENT", "planned, and held until the release"


class RevocationKind(StrEnum):
    """What a revocation names: one access token, all of one login, one API key, or all of an account."""

    TOKEN = "TOKEN"  # noqa: S105
    SESSION = "SESSION"
    KEY = "KEY"
    ACCOUNT = "ACCOUNT"


class WorkingSlices(StrEnum):
    """What becomes of slices that work at the broker while their order is paused."""

    KEEP = "keep"
    CANCEL = "cancel"


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
