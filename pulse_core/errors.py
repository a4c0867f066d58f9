"""What can go wrong inside the core alone, in the tree of `api_contract.errors`.

PulseError
    IllegalMove             a defect of ours: a move that the state table does not have
    LostRace                somebody else moved a slice or an order first
    UncommittedWakeup       a defect of ours: a task was woken inside the transaction whose rows it is to find
    ServiceUnavailable
        DatabaseUnavailable
            RowsLocked
            SharedSession
            WrongTables
"""

from api_contract.errors import PulseError, ServiceUnavailable


class IllegalMove(PulseError):
    code = "INTERNAL_ERROR"


class UncommittedWakeup(PulseError):
    code = "INTERNAL_ERROR"


class LostRace(PulseError):
    """A slice or order no longer has the status that was read; callers that do not expect this roll back."""

    code = "INTERNAL_ERROR"


class DatabaseUnavailable(ServiceUnavailable):
    """Postgres cannot be reached, or not as it has to be."""


class RowsLocked(DatabaseUnavailable):
    """Others held the rows for longer than a statement may wait; work on other rows may succeed."""


class SharedSession(DatabaseUnavailable):
    """A proxy lets several connections use one session of Postgres: no lock of a session protects anything."""


class WrongTables(DatabaseUnavailable):
    """The tables are older or newer than this code can work with, or there are none: somebody has to migrate."""
