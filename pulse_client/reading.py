"""Answers of the public API as typed values: what is known of them is checked, what is not is kept."""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Any, ClassVar, Self, cast, dataclass_transform, get_args, get_origin, get_type_hints

from pulse_client.wire import plain

_Read = Callable[[Any], Any]


class Unreadable(ValueError):
    """An answer that is none of this version of the API."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Answer:
    """Fields that this version does not know are kept, and are in `as_json`."""

    further: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    etag: ClassVar[str | None] = None

    def __init_subclass__(cls) -> None:
        dataclass(frozen=True, kw_only=True)(cls)

    @classmethod
    def from_json(cls, text: bytes | str, etag: str | None = None) -> Self:
        """What an answer says; `etag` names this state of it. Raises Unreadable."""
        try:
            answer = cls.read(json.loads(text))
        except ValueError as error:
            raise Unreadable(str(error)) from error
        # Both belong to what was read, not to its value.
        object.__setattr__(answer, "etag", etag)
        return answer

    @classmethod
    def read(cls, value: object) -> Self:
        """The same of an object that was parsed. Raises Unreadable."""
        if not isinstance(value, Mapping):
            raise Unreadable(f"{cls.__name__} is no object")
        readers, known = _readers(cast("Any", cls)), {}
        for name, (read, is_required) in readers.items():
            if name in value:
                known[name] = _field(name, read, value[name])
            elif is_required:
                raise Unreadable(f"{name} is missing")
        answer = cls(**known)
        object.__setattr__(answer, "further", {name: one for name, one in value.items() if name not in readers})
        return answer

    def as_json(self) -> dict[str, Any]:
        """The answer as JSON has it, with what was not known of it."""
        known = {one.name: _told(getattr(self, one.name)) for one in fields(self)}  # type: ignore[arg-type]
        return {**known, **self.further}


@cache
def _readers(kind: type[Answer]) -> dict[str, tuple[_Read, bool]]:
    hints = get_type_hints(kind)
    return {
        one.name: (_reader(hints[one.name]), one.default is MISSING and one.default_factory is MISSING)
        for one in fields(kind)  # type: ignore[arg-type]
    }


def _reader(hint: Any) -> _Read:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is UnionType:
        (read,) = (_reader(one) for one in inner if one is not NoneType)
        return lambda value: None if value is None else read(value)
    if origin is list:
        return _list(_reader(inner[0]))
    if origin is Mapping:
        return _mapping(_reader(inner[0]), _reader(inner[1]))
    if hint is Any:
        return lambda value: value
    if issubclass(hint, Answer):
        return cast("_Read", hint.read)
    if issubclass(hint, StrEnum):
        return _word(hint)
    return _SIMPLE[hint]


def _list(read: _Read) -> _Read:
    return lambda value: [read(one) for one in _of(list, value)]


def _mapping(read_name: _Read, read: _Read) -> _Read:
    return lambda value: {read_name(name): read(one) for name, one in _of(dict, value).items()}


def _word(words: type[StrEnum]) -> _Read:
    known = {word.value: word for word in words}
    return lambda value: known.get(_of(str, value), value)


def _instant(value: object) -> datetime:
    at = datetime.fromisoformat(_of(str, value))
    if at.tzinfo is None:
        raise Unreadable("an instant without a time zone")
    return at


def _decimal(value: object) -> Decimal:
    try:
        return Decimal(_of(str, value))
    except InvalidOperation:
        raise Unreadable("no decimal number") from None


def _of(kind: type, value: Any) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Unreadable(f"{type(value).__name__} in place of {kind.__name__}")
    return value


_SIMPLE: dict[type, _Read] = {
    str: lambda value: _of(str, value),
    int: lambda value: _of(int, value),
    bool: lambda value: _of(bool, value),
    date: lambda value: date.fromisoformat(_of(str, value)),
    datetime: _instant,
    Decimal: _decimal,
}


def _field(name: str, read: _Read, value: object) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise Unreadable(f"{name}: {error}") from error


def _told(value: Any) -> Any:
    if isinstance(value, Answer):
        return value.as_json()
    if isinstance(value, list):
        return [_told(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _told(one) for name, one in value.items()}
    if isinstance(value, StrEnum):
        return value.value
    return value if isinstance(value, float) else plain(value)
