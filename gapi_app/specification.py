"""The OpenAPI document: what flask-smorest knows of the views, and what holds for all of them stated once."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from gapi_app.errors import HTTP_STATUS
from gapi_app.examples import EXAMPLES
from gapi_app.refusals import REFUSALS

ACCESS_TOKEN, SERVICE_TOKEN = "accessToken", "serviceToken"
UPSTREAM = ("UPSTREAM_ERROR", "SERVICE_UNAVAILABLE", "UPSTREAM_TIMEOUT")
# Only on their way from the views to `complete`.
CODES, IS_LIMITED = "x-codes", "x-is-limited"

_NEEDS = (
    "An access token of a login, or an API key (`pk_...`). Each operation names the scope it needs: the role must have"
    " it, and an API key too. `login` stands for an access token of a login, not a key; `admin` for one of an admin."
)
SPEC = {
    "info": {"description": "Large orders, worked as many small ones over time."},
    "security": [{ACCESS_TOKEN: []}],
    "components": {
        "securitySchemes": {
            ACCESS_TOKEN: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": _NEEDS},
            SERVICE_TOKEN: {
                "type": "http",
                "scheme": "bearer",
                "bearerFormat": "JWT",
                "description": "Made by a sibling service for the one request.",
            },
        }
    },
}

_ID = {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$", "examples": ["0f8fad5b-d9cb-469f-a165-70867728950e"]}
_COUNT = {"type": "integer", "minimum": 0}
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
_ON_LIMITED_ANSWERS: dict[str, Any] = {
    "RateLimit-Limit": {
        "description": "Requests allowed in the window that is the first to run out.",
        "schema": _COUNT,
    },
    "RateLimit-Remaining": {"description": "Requests left in it.", "schema": _COUNT},
    "RateLimit-Reset": {"description": "Seconds until it begins anew.", "schema": _COUNT},
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
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an earlier answer: 304 without a body when it is still the same.",
    "schema": {"type": "string"},
}
_ETAG = {"ETag": {"description": "Changes with the answer; send it as If-None-Match.", "schema": {"type": "string"}}}
_NOT_MODIFIED = {"description": "Not changed since the answer with the ETag in If-None-Match."}


def codes(
    operation: Mapping[str, Any], stated: Iterable[str], security: list[dict[str, Any]] | None, is_limited: bool
) -> list[str]:
    """The codes of the errors that an operation can answer with: those it states, and those that follow from it."""
    found = ["PAYLOAD_TOO_LARGE", "INTERNAL_ERROR", *stated]
    if "parameters" in operation or "requestBody" in operation:
        found += ["INVALID_REQUEST"]
    if "requestBody" in operation:
        found += ["UNSUPPORTED_MEDIA_TYPE"]
    if security:
        # Even to know a caller, pulse may have to be asked.
        found += ["UNAUTHORIZED", *UPSTREAM]
    if security and ACCESS_TOKEN in security[0]:
        found += ["FORBIDDEN"]
    if is_limited:
        found += ["RATE_LIMITED"]
    return [code for code in HTTP_STATUS if code in found]


def complete(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with errors, examples, and the headers of all requests and answers."""
    completed: dict[str, Any] = json.loads(json.dumps(document))
    components = completed["components"]
    components["schemas"].pop("PaginationMetadata", None)
    components["schemas"] |= {_name([code]): REFUSALS[code].schema(code) for code in REFUSALS}
    components["headers"] = _ON_EVERY_ANSWER | _ON_LIMITED_ANSWERS
    components["parameters"] = {name: _header(name, text) for name, text in _PARAMETERS.items()}
    components["responses"] = {}
    for parameter in (one for path in completed["paths"].values() for one in path.get("parameters", ())):
        parameter["schema"] = _IDS[parameter["name"]]
    for path, method, operation in _operations(completed):
        if (method, path[:5]) == ("get", "/api/") and "application/json" in _content(operation, "200"):
            _make_conditional(operation)
        _complete_operation(operation, components["responses"])
    components["responses"] = dict(sorted(components["responses"].items()))
    # Once more, so that no part is shared: YAML would show that.
    return cast("dict[str, Any]", json.loads(json.dumps(completed)))


def _make_conditional(operation: dict[str, Any]) -> None:
    operation["responses"]["200"]["headers"] = _ETAG
    operation["responses"]["304"] = _NOT_MODIFIED | {"headers": _ETAG}
    operation["parameters"] = [*operation.get("parameters", []), _IF_NONE_MATCH]


def _complete_operation(operation: dict[str, Any], refusals: dict[str, Any]) -> None:
    found, limited = operation.pop(CODES), _ON_LIMITED_ANSWERS if operation.pop(IS_LIMITED) else {}
    responses = {status: one for status, one in operation["responses"].items() if status < "400"}
    for response in responses.values():
        response["headers"] = response.get("headers", {}) | _references("headers", _ON_EVERY_ANSWER | limited)
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
        "headers": _references("headers", _ON_EVERY_ANSWER | _ON_LIMITED_ANSWERS) | _OF_STATUS.get(status, {}),
        "content": {"application/json": content},
    }


def _content(operation: Mapping[str, Any], status: str) -> dict[str, Any]:
    content: dict[str, Any] = operation["responses"].get(status, {}).get("content", {})
    return content


def _give_example(content: dict[str, Any]) -> None:
    for media in content.values():
        name = media.get("schema", {}).get("$ref", "").rpartition("/")[2]
        if name in EXAMPLES:
            media["example"] = EXAMPLES[name]


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in document["paths"].items():
        yield from ((path, method, one) for method, one in operations.items() if method != "parameters")


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
