"""Values as the public API writes them."""

from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal


def plain(value: object) -> object:
    """A price as its digits, an aware instant in UTC with Z, a dataclass as those of its fields that are not None.

    Raises TypeError for what JSON has no place for.
    """
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        stated = {one.name: getattr(value, one.name) for one in fields(value)}
        return {name: each for name, each in stated.items() if each is not None}
    msg = f"{type(value)} has no place in JSON"
    raise TypeError(msg)
