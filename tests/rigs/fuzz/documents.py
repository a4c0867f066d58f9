"""The specifications as the fuzzer reads them."""

from datetime import UTC, datetime
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import BaseSchema

import gapi_app
import pulse_app

_INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  a bound
schemathesis.openapi.format("date-time", _INSTANTS.map(lambda at: at.isoformat().replace("+00:00", "Z")))


def gapi() -> BaseSchema:
    return _schema(gapi_app.openapi())


def pulse() -> BaseSchema:
    return _schema(pulse_app.openapi())


def needed(operation: dict[str, Any]) -> str | None:
    """The scope or standing that an operation asks for, "service" for a sibling's token, None for an open one."""
    for scheme in operation["security"]:
        [(name, needs)] = scheme.items()
        return needs[0] if needs else name.removesuffix("Token")
    return None


def _schema(document: dict[str, Any]) -> BaseSchema:
    _forget_patterns_of_instants(document)
    schema = schemathesis.openapi.from_dict(document)
    schema.config.seed = 1
    # Tokens are ours: each is made for the one request.
    schema.config.generation.update(with_security_parameters=False, allow_extra_parameters=False)
    return schema


def _forget_patterns_of_instants(part: Any) -> None:
    # A generator that has to satisfy a format and a pattern gives up on both.
    if isinstance(part, dict):
        if part.get("format") == "date-time":
            part.pop("pattern", None)
        for inner in part.values():
            _forget_patterns_of_instants(inner)
    if isinstance(part, list):
        for inner in part:
            _forget_patterns_of_instants(inner)
