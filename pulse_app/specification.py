"""The OpenAPI document: what flask-smorest knows of the views, and what holds for all of them stated once."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from pulse_app.errors import HTTP_STATUS
from pulse_app.examples import EXAMPLES
from pulse_app.refusals import REFUSALS

SERVICE_TOKEN = "serviceToken"  # noqa: S105  the name of a scheme
# Only on its way from the views to `complete`.
CODES = "x-codes"

_NEEDS = (
    "Made by the gateway for the one request, and for an account or for itself. Each operation names what it needs: a"
    " scope that the account's role has, and its API key too; `login`: no API key; `admin`: an admin without an API"
    " key; `gateway`: the gateway on its own behalf."
)
SPEC = {
    "info": {"description": "Orders of all accounts, for the gateway only."},
    "security": [{SERVICE_TOKEN: []}],
    "components": {
        "securitySchemes": {
            SERVICE_TOKEN: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": _NEEDS}
        }
    },
}

_ID = {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$", "examples": ["0f8fad5b-d9cb-469f-a165-70867728950e"]}
_ON_EVERY_ANSWER: dict[str, Any] = {
    "X-Request-Id": {
        "description": "Names this request; the client's own if it sent one.",
        "required": True,
        "schema": _ID,
    },
    "X-Trace-Id": {
        "description": "Names all that follows from it; the client's own if it sent one.",
        "required": True,
        "schema": _ID,
    },
}
_RETRY_AFTER = {
    "description": "Seconds until it is worth trying again.",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
}
_CHALLENGE = {"description": "`Bearer`.", "schema": {"type": "string"}}
_OF_STATUS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": _CHALLENGE},
    429: {"Retry-After": _RETRY_AFTER | {"required": True}},
}
_ULID = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
_IDS = {
    name: {"type": "string", "pattern": f"^{prefix}_{_ULID}$", "examples": [f"{prefix}_01M83H8RHMTHDRXSMTYCVNSZWN"]}
    for name, prefix in {
        "order_id": "ord",
        "slice_id": "sl",
        "account_id": "acc",
        "key_id": "key",
        "webhook_id": "whk",
    }.items()
}
_PARAMETERS = {
    "X-Request-Id": "Names the request in answers and logs: a UUID, or 1 to 64 of A-Z, a-z, 0-9, `_`, `.` and `-`.",
    "X-Trace-Id": "Names a chain of requests in answers and logs, in the same characters.",
    "traceparent": "W3C Trace Context; handed on.",
}


def codes(operation: Mapping[str, Any], stated: Iterable[str], security: list[dict[str, Any]] | None) -> list[str]:
    """The codes of the errors that an operation can answer with: those it states, and those that follow from it."""
    found = ["PAYLOAD_TOO_LARGE", "INTERNAL_ERROR", *stated]
    if "parameters" in operation or "requestBody" in operation:
        found += ["INVALID_REQUEST"]
    if "requestBody" in operation:
        found += ["UNSUPPORTED_MEDIA_TYPE"]
    if security:
        found += ["UNAUTHORIZED", "FORBIDDEN", "DATABASE_ERROR", "SERVICE_UNAVAILABLE"]
    return [code for code in HTTP_STATUS if code in found]


def complete(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with errors, examples, and the headers of all requests and answers."""
    completed: dict[str, Any] = json.loads(json.dumps(document))
    components = completed["components"]
    components["schemas"].pop("PaginationMetadata", None)
    components["schemas"] |= {_name([code]): REFUSALS[code].schema(code) for code in REFUSALS}
    components["headers"] = _ON_EVERY_ANSWER
    components["parameters"] = {name: _header(name, text) for name, text in _PARAMETERS.items()}
    components["responses"] = {}
    for parameter in (one for path in completed["paths"].values() for one in path.get("parameters", ())):
        parameter["schema"] = _IDS.get(parameter["name"], parameter["schema"])
    for operation in _operations(completed):
        _complete_operation(operation, components["responses"])
    components["responses"] = dict(sorted(components["responses"].items()))
    # Once more, so that no part is shared: YAML would show that.
    return cast("dict[str, Any]", json.loads(json.dumps(completed)))


def _complete_operation(operation: dict[str, Any], refusals: dict[str, Any]) -> None:
    found = operation.pop(CODES)
    responses = {status: one for status, one in operation["responses"].items() if status < "400"}
    for response in responses.values():
        response["headers"] = response.get("headers", {}) | _references("headers", _ON_EVERY_ANSWER)
        _give_example(response.get("content", {}))
    _give_example(operation.get("requestBody", {}).get("content", {}))
    for status, of_status in _by_status(found).items():
        name = _name(of_status)
        refusals[name] = _refusal(status, of_status)
        responses[str(status)] = {"$ref": f"#/components/responses/{name}"}
    operation["responses"] = dict(sorted(responses.items()))
    parameters = [{"$ref": f"#/components/parameters/{name}"} for name in _PARAMETERS]
    operation["parameters"] = [*operation.get("parameters", []), *parameters]


def _refusal(status: int, of_status: list[str]) -> dict[str, Any]:
    schemas = [{"$ref": f"#/components/schemas/{_name([code])}"} for code in of_status]
    content = {
        "schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas},
        "examples": {code: {"value": REFUSALS[code].schema(code)["examples"][0]} for code in of_status},
    }
    return {
        "description": " ".join(REFUSALS[code].meaning for code in of_status),
        "headers": _references("headers", _ON_EVERY_ANSWER) | _OF_STATUS.get(status, {}),
        "content": {"application/json": content},
    }


def _give_example(content: dict[str, Any]) -> None:
    for media in content.values():
        name = media.get("schema", {}).get("$ref", "").rpartition("/")[2]
        if name in EXAMPLES:
            media["example"] = EXAMPLES[name]


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for operations in document["paths"].values():
        yield from (one for method, one in operations.items() if method != "parameters")


def _by_status(found: Iterable[str]) -> dict[int, list[str]]:
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in found:
        by_status[HTTP_STATUS[code]].append(code)
    return by_status


def _references(kind: str, names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/{kind}/{name}"} for name in names}


def _header(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}


def _name(found: list[str]) -> str:
    return "Or".join(code.title().replace("_", "") for code in found)
