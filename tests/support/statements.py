"""Counting what is asked of the database."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from sqlalchemy import event

from api_contract.kept import Kept
from pulse_core import db


@contextmanager
def statements() -> Iterator[list[str]]:
    """What this thread asks the database; others tell the time and that the process lives.

    Without what is read once in a while for all: whether its second is over says nothing about who happens to read it.
    """
    made: list[str] = []
    mine = threading.get_ident()
    is_aside = False
    make_anew = Kept._make_anew

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if threading.get_ident() == mine and not is_aside and "clock_timestamp" not in statement:
            made.append(statement)

    def aside(kept: Kept[object]) -> None:
        nonlocal is_aside
        if threading.get_ident() != mine or is_aside:
            make_anew(kept)
            return
        is_aside = True
        try:
            make_anew(kept)
        finally:
            is_aside = False

    event.listen(db.engine(), "before_cursor_execute", note)
    try:
        with mock.patch.object(Kept, "_make_anew", aside):
            yield made
    finally:
        event.remove(db.engine(), "before_cursor_execute", note)
