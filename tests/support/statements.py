"""Counting what is asked of the database."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import event

from pulse_core import db


@contextmanager
def statements() -> Iterator[list[str]]:
    """What this thread asks the database; others tell the time and that the process lives."""
    made: list[str] = []
    mine = threading.get_ident()

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if threading.get_ident() == mine and "clock_timestamp" not in statement:
            made.append(statement)

    event.listen(db.engine(), "before_cursor_execute", note)
    try:
        yield made
    finally:
        event.remove(db.engine(), "before_cursor_execute", note)
