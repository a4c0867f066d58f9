"""Turns at a broker's book: each step is one statement that commits by itself. Postgres's clock decides."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Boolean, Connection, Float, Interval, String, func, update

from pulse_core.postgres import sql
from pulse_core.trading.turn_tables import BookTurn


@dataclass(frozen=True)
class Pauses:
    """How long a turn lasts unless it is kept, and how long a reader rests at most."""

    lease: timedelta
    longest_rest: timedelta


def take(connection: Connection, broker_account: str, holder: str, pauses: Pauses, *, is_seized: bool) -> bool:
    """Take the turn for this holder; False while it is another's, or while the last one's rest is not over.

    One that `is_seized` is taken from whoever has it.
    """
    taken = connection.execute(
        _TAKE,
        {
            "broker_account": broker_account,
            "holder": holder,
            "lease": pauses.lease,
            "longest_rest": pauses.longest_rest,
            "is_seized": is_seized,
        },
    )
    return taken.one_or_none() is not None


def keep(connection: Connection, broker_account: str, holder: str, pauses: Pauses) -> None:
    """Let the holder's lease begin anew, unless the turn is another's by now."""
    mine = update(BookTurn).where(BookTurn.broker_account == broker_account, BookTurn.holder == holder)
    connection.execute(mine.values(held_until=func.clock_timestamp() + pauses.lease))


def give_back(
    connection: Connection, broker_account: str, holder: str, pauses: Pauses, rest: float, spacing: timedelta
) -> None:
    """End the holder's turn; the next one begins after `rest` times its duration, and `spacing` after its beginning."""
    connection.execute(
        _GIVE_BACK,
        {
            "broker_account": broker_account,
            "holder": holder,
            "rest": rest,
            "longest_rest": pauses.longest_rest,
            "spacing": spacing,
        },
    )


_TAKE = sql.load(
    __package__,
    "take_book_turn",
    {
        "broker_account": String(),
        "holder": String(),
        "lease": Interval(),
        "longest_rest": Interval(),
        "is_seized": Boolean(),
    },
)
_GIVE_BACK = sql.load(
    __package__,
    "give_book_turn_back",
    {
        "broker_account": String(),
        "holder": String(),
        "rest": Float(),
        "longest_rest": Interval(),
        "spacing": Interval(),
    },
)
