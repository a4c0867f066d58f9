"""The condition of every compare-and-set: the row still has the status that it was seen in."""

from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, String, type_coerce


def status_is(column: Any, status: StrEnum) -> ColumnElement[bool]:
    """`column = status`, as an expression that no index serves.

    The rows of one status have a small partial index, which Postgres would prefer to the primary key. But it also holds
    every row that had the status since the last vacuum: in a rush, finding one through it means looking at thousands.
    """
    return type_coerce(column, String).concat("") == status.value
