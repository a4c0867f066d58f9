"""The OpenAPI document of the gateway: beside what both services say, its limits and conditional answers."""

from collections.abc import Mapping
from typing import Any

from api_contract import openapi
from api_contract.errors import HTTP_STATUS
from api_contract.shapes.examples import EXAMPLES
from gapi_app.cells.naming import HEADER, PARAMETER
from gapi_app.problems import MEDIA_TYPE, SCHEMA, problem
from gapi_app.refusals import REFUSALS

ACCESS_TOKEN, SERVICE_TOKEN = "accessToken", "serviceToken"
# Only on its way from the views to the document.
IS_LIMITED = "x-is-limited"

_NEEDS = (
    "An access token of a login, or an API key (`pk_...`). Each operation names the scope it needs: the role must have"
    " it, and an API key too. `login` stands for an access token of a login, not a key; `admin` for one of an admin;"
    " `staff` for one of an operator or admin; `oversight` for an operator or admin with `events:read`; `account` for"
    " any of them."
)
_COUNT = {"type": "integer", "minimum": 0}
_ON_LIMITED_ANSWERS: dict[str, Any] = {
    "RateLimit-Limit": {
        "description": "Requests allowed in the window that is the first to run out.",
        "schema": _COUNT,
    },
    "RateLimit-Remaining": {"description": "Requests left in it.", "schema": _COUNT},
    "RateLimit-Reset": {"description": "Seconds until it begins anew.", "schema": _COUNT},
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an earlier answer: 304 without a body when it is still the same.",
    "schema": {"type": "string"},
}
_ETAG = {"ETag": {"description": "Changes with the answer; send it as If-None-Match.", "schema": {"type": "string"}}}
_NOT_MODIFIED = {"description": "Not changed since the answer with the ETag in If-None-Match."}


class _Specification(openapi.Specification):
    @property
    def headers(self) -> dict[str, Any]:
        return super().headers | _ON_LIMITED_ANSWERS

    @property
    def parameters(self) -> dict[str, Any]:
        return {HEADER: PARAMETER}

    @property
    def schemas(self) -> dict[str, Any]:
        return {"Problem": SCHEMA}

    def refusal_content(self, examples: Mapping[str, Any]) -> dict[str, Any]:
        [(code, first), *_] = examples.items()
        shown = problem(HTTP_STATUS[code], first["value"]["error"])
        return super().refusal_content(examples) | {
            MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": shown}
        }

    def headers_of(self, operation: dict[str, Any]) -> dict[str, Any]:
        return self.headers if operation.pop(IS_LIMITED) else super().headers_of(operation)

    def prepare(self, path: str, method: str, operation: dict[str, Any]) -> None:
        if any(ACCESS_TOKEN in one for one in operation.get("security", ())):
            reference = {"$ref": f"#/components/parameters/{HEADER}"}
            operation["parameters"] = [*operation.get("parameters", []), reference]
        content = operation["responses"].get("200", {}).get("content", {})
        if (method, path[:5]) == ("get", "/api/") and "application/json" in content:
            operation["responses"]["200"]["headers"] = _ETAG
            operation["responses"]["304"] = _NOT_MODIFIED | {"headers": _ETAG}
            operation["parameters"] = [*operation.get("parameters", []), _IF_NONE_MATCH]


SPECIFICATION = _Specification(
    description=(
        "Large orders, worked as many small ones over time. Where accounts are in several cells, operators and"
        " admins see all: lists of all accounts have `unreachable_cells`, and their entries `cell`."
    ),
    schemes={ACCESS_TOKEN: _NEEDS, SERVICE_TOKEN: "Made by a sibling service for the one request."},
    refusals=REFUSALS,
    examples=EXAMPLES,
)
