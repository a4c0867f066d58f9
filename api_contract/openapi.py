"""The OpenAPI document: what flask-smorest knows of the views, and what holds for all of them stated once."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from api_contract import idempotency, ids, preconditions
from api_contract.errors import HTTP_STATUS
from api_contract.refusals import Refusal

# Only on its way from the views to `complete`.
CODES, TAKES_KEY, TAKES_IF_MATCH = "x-codes", "x-takes-key", "x-takes-if-match"

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
_RETRY_AFTER_SOME = {**_RETRY_AFTER, "required": False}
_CHALLENGE = {"description": "`Bearer`.", "schema": {"type": "string"}}
_OF_STATUS: dict[int, dict[str, Any]] = {
    401: {"WWW-Authenticate": _CHALLENGE},
    409: {"Retry-After": _RETRY_AFTER_SOME},
    429: {"Retry-After": _RETRY_AFTER},
    503: {"Retry-After": _RETRY_AFTER_SOME},
}
_IDS = {
    name: {
        "type": "string",
        "pattern": f"^{pattern.pattern}$",
        "examples": [f"{pattern.pattern.partition('_')[0]}_01M83H8RHMTHDRXSMTYCVNSZWN"],
    }
    for name, pattern in {
        "order_id": ids.ORDER_ID,
        "slice_id": ids.SLICE_ID,
        "account_id": ids.ACCOUNT_ID,
        "key_id": ids.KEY_ID,
        "webhook_id": ids.WEBHOOK_ID,
        "alarm_id": ids.ALARM_ID,
    }.items()
} | {"order_unique_key": {"type": "string", "pattern": "^[ -~]{1,64}$", "examples": ["my-order-1"]}}
_PARAMETERS = {
    "X-Request-Id": "Names the request in answers and logs: a UUID, or 1 to 64 of A-Z, a-z, 0-9, `_`, `.` and `-`.",
    "X-Trace-Id": "Names a chain of requests in answers and logs, in the same characters.",
    "traceparent": "W3C Trace Context; handed on.",
}


@dataclass(frozen=True)
class Specification:
    """What is said of one service. `schemes`: what opens it, the usual one first, each with what to know of it."""

    description: str
    schemes: Mapping[str, str]
    refusals: Mapping[str, Refusal]
    examples: Mapping[str, Any]

    @property
    def codes(self) -> list[str]:
        """The codes of all its errors; 405 is answered before there is an operation that could state it."""
        return [*self.refusals, "METHOD_NOT_ALLOWED"]

    @property
    def options(self) -> dict[str, Any]:
        """What flask-smorest is to put into the document."""
        bearer = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        schemes = {name: bearer | {"description": text} for name, text in self.schemes.items()}
        return {
            "info": {"description": self.description},
            "security": [{next(iter(schemes)): []}],
            "components": {"securitySchemes": schemes},
        }

    @property
    def headers(self) -> dict[str, Any]:
        """The headers that answers may have."""
        return _ON_EVERY_ANSWER

    def headers_of(self, operation: dict[str, Any]) -> dict[str, Any]:
        """Those that the good answers of one operation have."""
        return _ON_EVERY_ANSWER

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters that operations refer to beside those of all services, by name."""
        return {}

    @property
    def schemas(self) -> dict[str, Any]:
        """Schemas beside those of the views and the errors, by name."""
        return {}

    def refusal_content(self, examples: Mapping[str, Any]) -> dict[str, Any]:
        """The forms of errors beside the usual one, by media type; `examples` of that one by code."""
        return {}

    def prepare(self, path: str, method: str, operation: dict[str, Any]) -> None:
        """Add to an operation what only this service has."""

    def complete(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The document with errors, examples, and the headers of all requests and answers."""
        completed: dict[str, Any] = json.loads(json.dumps(document))
        components = completed["components"]
        components["schemas"].pop("PaginationMetadata", None)
        codes = in_order(self.refusals)
        components["schemas"] |= {_name([code]): self.refusals[code].schema(code) for code in codes}
        components["schemas"] |= self.schemas
        components["headers"] = self.headers | idempotency.ON_ANSWERS
        components["parameters"] = {name: _header(name, text) for name, text in _PARAMETERS.items()}
        components["parameters"][idempotency.HEADER] = idempotency.PARAMETER
        components["parameters"][preconditions.HEADER] = preconditions.PARAMETER
        components["parameters"] |= self.parameters
        components["responses"] = {}
        for parameter in (one for path in completed["paths"].values() for one in path.get("parameters", ())):
            parameter["schema"] = _IDS.get(parameter["name"], parameter["schema"])
        for path, method, operation in _operations(completed):
            self.prepare(path, method, operation)
            self._complete_operation(operation, components["responses"])
        components["responses"] = dict(sorted(components["responses"].items()))
        # Once more, so that no part is shared: YAML would show that.
        return cast("dict[str, Any]", json.loads(json.dumps(completed)))

    def _complete_operation(self, operation: dict[str, Any], refusals: dict[str, Any]) -> None:
        found, takes_key, headers = operation.pop(CODES), operation.pop(TAKES_KEY), self.headers_of(operation)
        takes_if_match = operation.pop(TAKES_IF_MATCH)
        if takes_key:
            headers = headers | idempotency.ON_ANSWERS
        responses = {status: one for status, one in operation["responses"].items() if status < "400"}
        for response in responses.values():
            response["headers"] = response.get("headers", {}) | _references("headers", headers)
            self._give_example(response.get("content", {}))
        self._give_example(operation.get("requestBody", {}).get("content", {}))
        for status, of_status in _by_status(found).items():
            name = _name(of_status)
            refusals[name] = self._refusal(status, of_status)
            responses[str(status)] = {"$ref": f"#/components/responses/{name}"}
        operation["responses"] = dict(sorted(responses.items()))
        names = [idempotency.HEADER] if takes_key else []
        names += [*([preconditions.HEADER] if takes_if_match else []), *_PARAMETERS]
        parameters = [{"$ref": f"#/components/parameters/{name}"} for name in names]
        operation["parameters"] = [*operation.get("parameters", []), *parameters]

    def _refusal(self, status: int, of_status: list[str]) -> dict[str, Any]:
        schemas = [{"$ref": f"#/components/schemas/{_name([code])}"} for code in of_status]
        content = {
            "schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas},
            "examples": {code: {"value": self.refusals[code].schema(code)["examples"][0]} for code in of_status},
        }
        return {
            "description": " ".join(self.refusals[code].meaning for code in of_status),
            "headers": _references("headers", self.headers) | _OF_STATUS.get(status, {}),
            "content": {"application/json": content} | self.refusal_content(content["examples"]),
        }

    def _give_example(self, content: dict[str, Any]) -> None:
        for media in content.values():
            name = media.get("schema", {}).get("$ref", "").rpartition("/")[2]
            if name in self.examples:
                media["example"] = self.examples[name]


def in_order(codes: Iterable[str]) -> list[str]:
    """These codes, each once, in the order of the contract."""
    found = set(codes)
    return [code for code in HTTP_STATUS if code in found]


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
