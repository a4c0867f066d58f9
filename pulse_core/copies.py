"""What leaves a service is a value: a row would tie its caller to the tables, and to a session that is over."""

from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def copy_of(row: object, kind: type[T]) -> T:
    """A value of this kind, with the columns of the row that it names."""
    return kind(**{one.name: getattr(row, one.name) for one in fields(kind)})
