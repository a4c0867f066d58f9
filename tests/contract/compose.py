"""docker-compose.yml as Compose reads it: variables put in, merge keys resolved."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<operator>[-?])(?P<word>[^}]*))?\})")


class MissingVariable(Exception):
    """A variable that Compose refuses to start without."""


@dataclass(frozen=True)
class Variable:
    name: str
    operator: str | None
    word: str | None


def variables() -> list[Variable]:
    """Every `${...}` of the file."""
    found = _VARIABLE.finditer((ROOT / "docker-compose.yml").read_text())
    return [Variable(*one.group("name", "operator", "word")) for one in found if one["name"]]


def load(given: Mapping[str, str]) -> dict[str, Any]:
    """The file with these variables set. Raises MissingVariable."""
    document: dict[str, Any] = _with_variables(yaml.safe_load((ROOT / "docker-compose.yml").read_text()), given)
    return document


def _with_variables(node: Any, given: Mapping[str, str]) -> Any:
    match node:
        case dict():
            return {key: _with_variables(value, given) for key, value in node.items()}
        case list():
            return [_with_variables(value, given) for value in node]
        case str():
            return _VARIABLE.sub(lambda found: _value(found, given), node)
        case _:
            return node


def _value(found: re.Match[str], given: Mapping[str, str]) -> str:
    if found["name"] is None:
        return "$"
    if value := given.get(found["name"]):
        return value
    if found["operator"] == "?":
        raise MissingVariable(f"{found['name']}: {found['word']}")
    return found["word"] or ""
