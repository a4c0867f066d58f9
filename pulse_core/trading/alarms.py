"""The codes of alarms and holds. Code decides by the codes alone; their sentences are for people."""

from api_contract.alarms import AlarmCode
from api_contract.explained import Explained

__all__ = ["ENDS_WITH_DOUBT", "AlarmCode", "HoldCode"]

# Alarms about a slice in doubt: they are over when it is UNKNOWN no more.
ENDS_WITH_DOUBT = frozenset({AlarmCode.BOOK_PROVES_NOTHING, AlarmCode.LEFT_TO_OPERATORS, AlarmCode.DAY_OVER})


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
