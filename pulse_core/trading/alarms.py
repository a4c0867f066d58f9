"""What an operator must see. Code decides by the codes alone; their sentences are for people."""

from api_contract.explained import Explained


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
    # About no order that the database knows: these stand in the log only.
    UNEXPLAINED_ORDERS = "UNEXPLAINED_ORDERS", "the book shows orders of ours that the database does not know"
    SENDING_HELD = "SENDING_HELD", "nothing is sent"


class HoldCode(Explained):
    """Why nothing is sent, as it is stored with the hold."""

    ANOTHER_DATABASE = (
        "ANOTHER_DATABASE",
        "the database is another than the one that was last compared with the broker's book",
    )
    LOG_WENT_BACK = "LOG_WENT_BACK", "the log of the database went back: its last commits are lost"
    CLAIMS_WERE_LOST = "CLAIMS_WERE_LOST", "the broker's book shows attempts that the database had lost"
    FIRST_LOOK = (
        "FIRST_LOOK",
        "a database that was never compared with the broker's book does not know all orders in it",
    )
