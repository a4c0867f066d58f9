"""What an operator must see. Programs decide by the words alone; their sentences are for people."""

from enum import StrEnum

from api_contract.explained import Explained

LONGEST_ALARM_NOTE = 500


class AlarmCode(Explained):
    """What an alarm is about, as it is stored with the event."""

    TURNED_UP = "TURNED_UP", "order taken for not placed is in the book"
    LOST_CLAIM = "LOST_CLAIM", "a claim that the database had lost was recorded again"
    DUPLICATE_ORDERS = "DUPLICATE_ORDERS", "two broker orders have one client order id"
    MISSING_FROM_BOOK = "MISSING_FROM_BOOK", "a working order is missing from the broker's book"
    BOOK_PROVES_NOTHING = (
        "BOOK_PROVES_NOTHING",
        "the broker's book lacks orders that it acknowledged, and proves no absence",
    )
    LEFT_TO_OPERATORS = (
        "LEFT_TO_OPERATORS",
        "the broker's book shows no trace of an unknown slice: an operator must settle it",
    )
    DAY_OVER = "DAY_OVER", "the book of the day is closed on an unknown slice"
    END_UNSEEN = "END_UNSEEN", "the broker's day ended on a working slice, and its end was not seen"
    FILL_AFTER_END = "FILL_AFTER_END", "fill after the end"
    SLICE_OVERFILLED = "SLICE_OVERFILLED", "slice overfilled"
    ORDER_OVERFILLED = "ORDER_OVERFILLED", "order overfilled"
    SLICE_LOWERED = "SLICE_LOWERED", "the slice was lowered: its order had no room for all of it"
    NO_ROOM = "NO_ROOM", "the slice is not sent: its order has no room for it"
    CUT_OFF_PASSED = "CUT_OFF_PASSED", "the last time of its product has passed: the rest of the order is not sent"
    ORDER_HELD = "ORDER_HELD", "the broker refuses an order for a cause that somebody must see to"
    PRICE_REFUSED = "PRICE_REFUSED", "the broker has refused the price of a slice three times"
    LIMIT_REACHED = "LIMIT_REACHED", "an order would pass a limit of its account: nothing more of it is sent"
    # About the installation as a whole, and no order that the database knows.
    UNEXPLAINED_ORDERS = "UNEXPLAINED_ORDERS", "the book shows orders of ours that the database does not know"
    SENDING_HELD = "SENDING_HELD", "nothing is sent"
    # About a broker account.
    ACCOUNT_HELD = "ACCOUNT_HELD", "the broker refuses a broker account: nothing is sent there"
    TOKEN_ENDS = "TOKEN_ENDS", "a broker account's login ends within the hour: somebody must log in again"
    # About a broker.
    INSTRUMENTS_STALE = (
        "INSTRUMENTS_STALE",
        "the broker's list of instruments could not be loaded: orders are held to the one of before",
    )
    CALENDAR_DIFFERS = (
        "CALENDAR_DIFFERS",
        "the broker's calendar differs from ours: orders are held to ours",
    )
    # About an account, or somebody who tries many.
    LOGIN_ATTACK = "LOGIN_ATTACK", "many logins of one name or one address failed: somebody guesses passwords"


class AlarmStatus(Explained):
    """How far operators have come with an alarm."""

    OPEN = "OPEN", "nobody has taken it on"
    ACKNOWLEDGED = "ACKNOWLEDGED", "an operator has taken it on"
    RESOLVED = "RESOLVED", "its cause is dealt with, or has ended; it opens again when the same happens again"


class AlarmEventKind(StrEnum):
    """What happened to an alarm; outside, with `alarm.` before it and in small letters."""

    RAISED = "RAISED"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RESOLVED = "RESOLVED"
    NOTED = "NOTED"
