"""What a migration may do to tables with many rows, read from the statements that it sends."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, event

# History before it was written by other rules.
NEWEST_OF_BEFORE = "0038"
BIG = (
    *("orders", "order_slices", "placements", "fills", "slice_events", "merged_events", "arrivals", "alarms"),
    *("alarm_events", "audit_entries", "broker_turns", "day_volumes"),
)
_TABLE = rf"(?P<table>{'|'.join(BIG)})\b"
# What is found in a statement: what is wrong about it, and what would be right.
_RULES = {
    rf"^CREATE (UNIQUE )?INDEX (?!CONCURRENTLY).* ON {_TABLE}": "an index is made by gently.add_index",
    rf"^ALTER TABLE {_TABLE} .*\b(CHECK|FOREIGN KEY|REFERENCES)\b(?!.*NOT VALID)": "a check is set by gently.set_check",
    rf"^ALTER TABLE {_TABLE} .*\bADD (CONSTRAINT \w+ )?(UNIQUE|PRIMARY KEY) \(": "an index is made by gently.add_index",
    rf"^ALTER TABLE {_TABLE} .*\b(TYPE|SET NOT NULL)\b": "a column keeps its type; a check says that it is not null",
    rf"^ALTER TABLE {_TABLE} .*\b(DEFAULT (random|gen_random_uuid|clock_timestamp|nextval)|GENERATED)\b": (
        "a default is one value for all rows"
    ),
}
_CHANGES = re.compile(rf"^(UPDATE|DELETE FROM) {_TABLE}", re.IGNORECASE)
_CREATED = re.compile(r"^CREATE TABLE (?P<table>\w+)", re.IGNORECASE)


@dataclass(frozen=True)
class Sent:
    """A statement, and whether it commits by itself."""

    text: str
    is_by_itself: bool = False


def broken_by(statements: Sequence[Sent]) -> list[str]:
    """A line for each statement that would keep orders waiting, with what is right."""
    created: set[str] = set()
    broken = []
    for one in statements:
        text = " ".join(one.text.split())
        if made := _CREATED.match(text):
            created.add(made["table"])
        broken += [f"{mend}: {text}" for table, mend in _found(text, one.is_by_itself) if table not in created]
    return broken


def _found(text: str, is_by_itself: bool) -> Iterator[tuple[str, str]]:
    for pattern, mend in _RULES.items():
        if found := re.search(pattern, text, re.IGNORECASE):
            yield found["table"], mend
    if (found := _CHANGES.match(text)) and not is_by_itself:
        yield found["table"], "rows are changed by gently.change_rows"


@contextmanager
def sent() -> Iterator[list[Sent]]:
    """All that is sent to any database meanwhile."""
    statements: list[Sent] = []

    def note(connection: Connection, _cursor: Any, text: str, *_rest: Any) -> None:
        statements.append(Sent(text, bool(connection.connection.dbapi_connection.autocommit)))  # type: ignore[union-attr]

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)
