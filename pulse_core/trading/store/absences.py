"""How long UNKNOWN slices have been absent from the book: one statement, however many they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ARRAY, DateTime, Interval, String
from sqlalchemy.orm import Session

from api_contract.vocabulary import SliceStatus
from pulse_core.postgres import sql
from pulse_core.trading.tables import OrderSlice

WATCH_EVERY = timedelta(seconds=2)
# A look that comes so much later than it was due was kept from seeing what happened meanwhile.
LONGEST_PAUSE = timedelta(seconds=10)


@dataclass(frozen=True)
class Look:
    """A reading of the whole book, from its start to its end, and how long an absence in it must last."""

    started_at: datetime
    ended_at: datetime
    settle_delay: timedelta


@dataclass(frozen=True)
class Absences:
    """Ids of slices: still to be watched, and `settled`: absent from the end of one look to the start of this one, with
    no pause between looks, for the whole settle delay. One that is in neither tells nothing.
    """

    watched: frozenset[str]
    settled: frozenset[str]


def note(session: Session, unknown: Sequence[OrderSlice], look: Look) -> Absences:
    """Note that a look lacked these UNKNOWN slices, each for the attempt it was seen with.

    Left out are slices that have moved on, and those that somebody else has locked. Who concludes from `settled` holds
    the slice's fence and lock.
    """
    found = session.execute(
        _NOTE,
        {
            "ids": [one.id for one in unknown],
            "client_order_ids": [one.client_order_id for one in unknown],
            "unknown": SliceStatus.UNKNOWN.value,
            "started_at": look.started_at,
            "ended_at": look.ended_at,
            "settle_delay": look.settle_delay,
            "watch_every": WATCH_EVERY,
            "longest_pause": LONGEST_PAUSE,
        },
    )
    is_settled = {row.id: row.is_settled for row in found}
    settled = frozenset(slice_id for slice_id, is_over in is_settled.items() if is_over)
    return Absences(frozenset(is_settled) - settled, settled)


_NOTE = sql.load(
    __package__,
    "note_absence",
    {
        "ids": ARRAY(String()),
        "client_order_ids": ARRAY(String()),
        "unknown": String(),
        "started_at": DateTime(timezone=True),
        "ended_at": DateTime(timezone=True),
        "settle_delay": Interval(),
        "watch_every": Interval(),
        "longest_pause": Interval(),
    },
)
