"""Fields that take exactly what the contract says, and nothing that could be turned into it."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from marshmallow import fields, validate

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")
_PRICE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_INSTANT_SHOWN = {
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$",
    "example": "2026-01-31T09:15:00Z",
}
_PRICE_SHOWN = {"pattern": r"^[0-9]{1,12}(\.[0-9]{1,6})?$", "example": "1402.35"}


def described_more(_converter: Any, field: fields.Field[Any], ret: dict[str, Any], **_: Any) -> dict[str, Any]:
    """What apispec leaves out: a pattern as JSON Schema writes it, and the names that keys may have."""
    more: dict[str, Any] = {}
    if ret.get("pattern", "").endswith(r"\Z"):
        more["pattern"] = f"^{ret['pattern'][:-2]}$"
    elif isinstance(field, fields.String) and "maxLength" in ret and not ret.keys() & {"pattern", "enum"}:
        # What the reader of bodies refuses in any text.
        more["pattern"] = r"^[^\x00]*$"
    if isinstance(field, fields.Dict) and field.key_field:
        more["propertyNames"] = _key_schema(field.key_field)
    return more


def _key_schema(key: fields.Field[Any]) -> dict[str, Any]:
    for rule in key.validators:
        if isinstance(rule, validate.OneOf):
            return {"enum": list(rule.choices)}
        if isinstance(rule, validate.Regexp):
            return {"pattern": f"^{str(rule.regex.pattern)[:-2]}$"}
    return {}


class WholeNumber(fields.Integer):
    """A JSON integer; no bool, no 5.0, no digits in a string."""

    default_error_messages = {"invalid": "Must be an integer."}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if type(value) is not int:
            raise self.make_error("invalid")
        return value


class Truth(fields.Boolean):
    """true or false, no other word for them."""

    default_error_messages = {"invalid": "Must be true or false."}  # noqa: RUF012

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class Word(fields.String):
    """One of the words of an enum, and no other text; `error` says so to a person."""

    def __init__(self, words: Iterable[StrEnum], error: str | None = None, **kwargs: Any) -> None:
        self._words = {word.value: word for word in words}
        super().__init__(validate=validate.OneOf(list(self._words), error=error), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        return self._words.get(text, text)


class Instant(fields.String):
    """RFC 3339 in UTC with Z; an aware datetime inside."""

    default_error_messages = {"invalid": "Must be an instant like 2026-01-31T09:15:00Z."}  # noqa: RUF012

    def __init__(self, metadata: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(metadata=_INSTANT_SHOWN | dict(metadata or {}), **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else _rfc3339(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:  # type: ignore[override]
        if not isinstance(value, str) or not _INSTANT.fullmatch(value):
            raise self.make_error("invalid")
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            raise self.make_error("invalid") from None


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class Price(fields.String):
    """A decimal as a string, never a float, in ASCII digits; with the decimals that it has."""

    default_error_messages = {"invalid": 'Must be a string like "1402.35".'}  # noqa: RUF012

    def __init__(self, metadata: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(metadata=_PRICE_SHOWN | dict(metadata or {}), **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else format(value, "f")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:  # type: ignore[override]
        if not isinstance(value, str) or not _PRICE.fullmatch(value):
            raise self.make_error("invalid")
        return Decimal(value)


class Amount(Price):
    """An amount of money as a string, of any size; below zero too."""

    def __init__(self, metadata: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        shown = {"pattern": r"^-?[0-9]{1,24}(\.[0-9]{1,6})?$", "example": "285150.00"}
        super().__init__(metadata=shown | dict(metadata or {}), **kwargs)


class Words(fields.String):
    """Some words of an enum in a query, separated by commas."""

    def __init__(self, words: Iterable[StrEnum], metadata: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        self._words = {word.value: word for word in words}
        one = "|".join(self._words)
        # The words alone as well: that is how a client finds them.
        shown = {"anyOf": [{"enum": list(self._words)}, {"pattern": f"^({one})(,({one}))*$"}]}
        super().__init__(metadata=shown | dict(metadata or {}), **kwargs)
        self.error_messages["unknown"] = f"Must be one or more of {', '.join(self._words)}, separated by commas."

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else ",".join(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        given = super()._deserialize(value, attr, data, **kwargs).split(",")
        if not all(word in self._words for word in given):
            raise self.make_error("unknown")
        return [self._words[word] for word in given]


class Flag(fields.Boolean):
    """true or false in a query."""

    default_error_messages = {"invalid": "Must be true or false."}  # noqa: RUF012

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else str(value).lower()

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if value not in ("true", "false"):
            raise self.make_error("invalid")
        return bool(value == "true")


class Limit(fields.Integer):
    """A query's whole number within limits, in ASCII digits."""

    default_error_messages = {"invalid": "Must be an integer."}  # noqa: RUF012

    def __init__(self, least: int, most: int, **kwargs: Any) -> None:
        super().__init__(validate=validate.Range(least, most, error="Must be from {min} to {max}."), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not re.fullmatch("-?[0-9]{1,9}", value):
            raise self.make_error("invalid")
        return int(value)


class EventId(fields.Integer):
    """A query's event id, in ASCII digits."""

    default_error_messages = {"invalid": "Must be an event_id, or 0."}  # noqa: RUF012

    def __init__(self, metadata: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(metadata={"minimum": 0, "maximum": 10**18 - 1} | dict(metadata or {}), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch("[0-9]{1,18}", value):
            raise self.make_error("invalid")
        return int(value)
