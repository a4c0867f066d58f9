"""Conditions of statements: the row still has the status that it was seen in; it is one of many."""

from collections.abc import Collection
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, String, bindparam, func, type_coerce


def status_is(column: Any, status: StrEnum) -> ColumnElement[bool]:
    """`column = status`, as an expression that no index serves.

    The rows of one status have a small partial index, which Postgres would prefer to the primary key. But it also holds
    every row that had the status since the last vacuum: in a rush, finding one through it means looking at thousands.
    """
    return type_coerce(column, String).concat("") == status.value


def any_of(column: Any, values: Collection[str]) -> ColumnElement[bool]:
    """`column = ANY(values)`: one parameter, and one text of the statement, however many values there are."""
    listed = bindparam(None, list(values), type_=ARRAY(String))
    return type_coerce(column, String) == func.any(listed)
