"""What comes in, read strictly: one reading of a body or a query, or a 400 that says why."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

import marshmallow as ma
from flask import Request, request
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge

from api_contract.errors import InvalidRequest, UnsupportedMediaType

MAX_BODY_BYTES = 64 * 1024
_MAX_DIGITS = 40
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_UNKNOWN = "Unknown field."
# What comes with them all the same is not read.
_WITHOUT_BODY = ("GET", "HEAD")


class StrictParser(FlaskParser):
    """Refuses what Flask, webargs and json would quietly repair: duplicates, NaN, unknown names."""

    DEFAULT_VALIDATION_STATUS = 400
    DEFAULT_UNKNOWN_BY_LOCATION = {"json": ma.RAISE, "query": ma.RAISE}  # noqa: RUF012

    def load_json(self, req: Request, schema: ma.Schema) -> dict[str, Any]:
        if req.mimetype != "application/json" or req.mimetype_params.get("charset", "utf-8").lower() != "utf-8":
            raise UnsupportedMediaType("Content-Type must be application/json")
        # A compressed body would be measured before and not after it grows.
        if "Content-Encoding" in req.headers:
            raise UnsupportedMediaType("compressed bodies are not read")
        body = req.get_data()
        if len(body) > MAX_BODY_BYTES:
            raise RequestEntityTooLarge
        return read_object(body)

    def load_querystring(self, req: Request, schema: ma.Schema) -> dict[str, str]:
        for name, values in req.args.lists():
            if len(values) > 1:
                raise InvalidRequest(f"{shown(name)} is given more than once", {"field": shown(name), "rule": "once"})
        return req.args.to_dict()

    def handle_error(self, error: ma.ValidationError, *_args: Any, **_kwargs: Any) -> NoReturn:
        messages = next(iter(error.messages_dict.values()))
        raise invalid_fields(dict(_flat(messages)))


def refuse_large_body() -> None:
    """For `before_request`: a body whose declared length is too large is not read."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge


def refuse_undeclared(declared: Collection[str]) -> None:
    """Raise InvalidRequest for a query, or a body, where neither is among the places that an operation declares.

    Whoever says more than is looked at means something by it. An empty object says nothing.
    """
    if "query" not in declared and request.args:
        raise invalid_fields({shown(name): _UNKNOWN for name in request.args})
    if "json" not in declared and (names := _names_in_body()):
        raise invalid_fields({shown(name): _UNKNOWN for name in names})


def invalid_fields(rules: Mapping[str, str]) -> InvalidRequest:
    """One error for all fields that are missing, unknown or ill-typed; `rules` says what each one broke."""
    if len(rules) > 1:
        return InvalidRequest("several fields are not valid", {"fields": dict(rules)})
    [(field, rule)] = rules.items()
    return InvalidRequest(f"{field}: {rule}", {"field": field, "rule": rule})


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`. Raises InvalidRequest for anything that is not exactly one."""
    try:
        value = json.loads(body.decode(), object_pairs_hook=_object, parse_constant=_refuse, parse_int=_whole_number)
    except UnicodeDecodeError:
        raise InvalidRequest("the body is not UTF-8", {"rule": "UTF-8"}) from None
    except RecursionError:
        raise InvalidRequest("the body is nested too deeply", {"rule": "nesting"}) from None
    except ValueError:
        raise InvalidRequest("the body is not valid JSON", {"rule": "JSON"}) from None
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be a JSON object", {"rule": "object"})
    return value


def shown(name: str) -> str:
    """Text from a client, made fit to be repeated in an answer."""
    return _UNSTORABLE.sub("?", name[:64])


def _names_in_body() -> Collection[str]:
    if request.method in _WITHOUT_BODY:
        if request.content_length or "Transfer-Encoding" in request.headers:
            raise _no_body()
        return ()
    body = request.get_data()
    try:
        return read_object(body) if body else ()
    except InvalidRequest:
        raise _no_body() from None


def _no_body() -> InvalidRequest:
    return InvalidRequest("this takes no body", {"field": "body", "rule": "no body"})


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise InvalidRequest(f"{shown(name)} stands twice", {"field": shown(name), "rule": "once"})
        if isinstance(value, str) and _UNSTORABLE.search(value):
            raise InvalidRequest(
                f"{shown(name)} has characters that are no text", {"field": shown(name), "rule": "text"}
            )
        values[name] = value
    return values


def _refuse(constant: str) -> NoReturn:
    raise InvalidRequest(f"{constant} is not JSON", {"rule": "JSON"})


def _whole_number(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise InvalidRequest(f"a number has more than {_MAX_DIGITS} digits", {"rule": "number"})
    return int(digits)


def _flat(messages: Any, prefix: str = "") -> list[tuple[str, str]]:
    if not isinstance(messages, dict):
        return [(prefix.rstrip(".").removesuffix("._schema"), " ".join(messages))]
    return [pair for name, inner in messages.items() for pair in _flat(inner, f"{prefix}{shown(str(name))}.")]
