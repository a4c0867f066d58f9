"""Signs of life of processes that reach no database: a gateway's come by HTTP, Flower's by a message."""

from dataclasses import dataclass

from pulse_core import db
from pulse_core.health.store import processes
from pulse_core.health.store.processes import Identity, Vitals
from pulse_core.health.vocabulary import ProcessKind

# Whoever begins anew all the time has no more rows than this.
MOST_OF_A_KIND = 100


@dataclass(frozen=True)
class Sign:
    """What a process says of itself, under an id that no other has.

    `clock_ahead_ms`: how far its clock is ahead of the database's, None while it does not know that.
    """

    process_id: str
    host: str
    pid: int
    version: str
    settings_digest: str
    clock_ahead_ms: int | None = None
    has_ended: bool = False


def note_sign(kind: ProcessKind, sign: Sign) -> None:
    """Note that a process lives, or that it has ended as it should; nothing when that was known.

    Raises DatabaseUnavailable.
    """
    if sign.has_ended:
        with db.transaction() as session:
            processes.end(session, kind, sign.process_id)
        return
    ahead = None if sign.clock_ahead_ms is None else sign.clock_ahead_ms / 1000
    who = Identity(sign.process_id, kind, sign.host, sign.pid, sign.version, None, sign.settings_digest, None)
    with db.statement() as connection:
        processes.report(connection, who, Vitals(ahead, None))
        processes.keep_latest(connection, kind, MOST_OF_A_KIND)
