"""What can no longer be sent, and what can newly come back, when a JSON Schema changes.

References are resolved before. What clients send must stay valid: a schema of input may only widen. What they
receive must stay what they know: a schema of output may only narrow, but for further fields, which clients are told to
expect. A further value of an enumeration is no further field: a program branches on a status.
"""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_EXACT = ("pattern", "format")
_ALTERNATIVES = ("oneOf", "anyOf")


def input_changes(old: Schema, new: Schema, where: str) -> Iterator[str]:
    """What was valid to send and is refused now."""
    yield from (f"{where}: type {name} is no longer taken" for name in sorted(_types(old) - _types(new)))
    yield from (f"{where}: {value!r} is no longer taken" for value in _lost_values(old, new))
    for name in (*_LEAST, *_MOST):
        if name in new and _is_narrower(name, old.get(name), new[name]):
            yield f"{where}: {name} is now {new[name]}, was {old.get(name, 'unlimited')}"
    for name in _EXACT:
        if name in new and new[name] != old.get(name):
            yield f"{where}: {name} is now {new[name]}, was {old.get(name, 'any')}"
    yield from _fields_of_input(old, new, where)
    yield from _inside(old, new, where, input_changes)


def output_changes(old: Schema, new: Schema, where: str) -> Iterator[str]:
    """What may come back and could not before, or is missing now."""
    yield from (f"{where}: may now be of type {name}" for name in sorted(_types(new) - _types(old)))
    yield from (f"{where}: may now be {value!r}" for value in _lost_values(new, old))
    for name in _EXACT:
        if name in old and new.get(name) != old[name]:
            yield f"{where}: {name} is now {new.get(name, 'any')}, was {old[name]}"
    yield from _fields_of_output(old, new, where)
    yield from _inside(old, new, where, output_changes)


def _fields_of_input(old: Schema, new: Schema, where: str) -> Iterator[str]:
    yield from (f"{where}.{name}: now required" for name in _new_of(new, old, "required"))
    if new.get("additionalProperties") is False:
        if old.get("additionalProperties") is not False and old.get("type") == "object":
            yield f"{where}: unknown fields are now refused"
        yield from (f"{where}.{name}: removed" for name in _new_of(old, new, "properties"))


def _fields_of_output(old: Schema, new: Schema, where: str) -> Iterator[str]:
    removed = _new_of(old, new, "properties")
    yield from (f"{where}.{name}: removed" for name in removed)
    yield from (f"{where}.{name}: may now be missing" for name in _new_of(old, new, "required") if name not in removed)


def _inside(old: Schema, new: Schema, where: str, changes: Any) -> Iterator[str]:
    old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
    for name in (one for one in old_fields if one in new_fields):
        yield from changes(old_fields[name], new_fields[name], f"{where}.{name}")
    for name, shown in (("items", "[]"), ("additionalProperties", ".*"), ("propertyNames", " key")):
        if isinstance(old.get(name), dict) and isinstance(new.get(name), dict):
            yield from changes(old[name], new[name], where + shown)
    for name in _ALTERNATIVES:
        yield from _alternatives(_named(old, name), _named(new, name), where, changes)


def _alternatives(old: dict[str, Schema], new: dict[str, Schema], where: str, changes: Any) -> Iterator[str]:
    for name, schema in old.items():
        if name not in new:
            yield f"{where}: {name} removed"
            continue
        yield from changes(schema, new[name], where)


def _types(schema: Schema) -> set[str]:
    kinds = schema.get("type")
    if kinds is None:
        return {"any"} if not any(name in schema for name in ("enum", "const", *_ALTERNATIVES)) else set()
    named = {kinds} if isinstance(kinds, str) else set(kinds)
    return named | {"integer"} if "number" in named else named


def _values(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _lost_values(wide: Schema, narrow: Schema) -> list[Any]:
    """Values that the first allows and the second does not; "any other" stands for those that are not listed."""
    allowed, left = _values(wide), _values(narrow)
    if left is None:
        return []
    return ["any other"] if allowed is None else [value for value in allowed if value not in left]


def _is_narrower(name: str, old: float | None, new: float) -> bool:
    return old is None or (new > old if name in _LEAST else new < old)


def _new_of(more: Schema, less: Schema, name: str) -> list[str]:
    return [one for one in more.get(name, ()) if one not in less.get(name, ())]


def _named(schema: Schema, name: str) -> dict[str, Schema]:
    return {one.get("$name", str(place)): one for place, one in enumerate(schema.get(name, ()))}
