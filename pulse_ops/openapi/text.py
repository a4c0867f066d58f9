"""Specifications as YAML."""

from collections.abc import Mapping
from typing import Any

import yaml

# LibYAML reads the same, much faster. What it writes differs where a name is long.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(text: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506  both are safe
    return document


def written(document: Mapping[str, Any]) -> str:
    text: str = yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)
    return text
