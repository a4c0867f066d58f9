"""flask-smorest with our parser, our errors, and a specification that states each refusal."""

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import flask_smorest
from flask import Response
from werkzeug.exceptions import HTTPException

from gapi_app.body import StrictParser
from gapi_app.errors import HTTP_STATUS, answer_http_exception
from gapi_app.schemas import ErrorSchema

_ID_HEADERS = {
    name: {"description": text, "required": True, "schema": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"}}
    for name, text in (
        ("X-Request-Id", "Names this request; the client's own if it sent one."),
        ("X-Trace-Id", "Names all that follows from it; the client's own if it sent one."),
    )
}

View = Callable[..., Any]


class Blueprint(flask_smorest.Blueprint):
    """Views that read their input strictly."""

    ARGUMENTS_PARSER = StrictParser()

    def refuses(self, *codes: str) -> Callable[[View], View]:
        """State the codes of the errors that a view can answer with."""
        by_status: dict[int, list[str]] = defaultdict(list)
        for code in (*codes, "INTERNAL_ERROR"):
            by_status[HTTP_STATUS[code]].append(code)
        decorate: Callable[[View], View] = self.doc(
            responses={str(status): _refusal(by_status[status]) for status in sorted(by_status)}
        )
        return decorate


class Api(flask_smorest.Api):
    """The registered views and their specification."""

    ERROR_SCHEMA = ErrorSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def handle_http_exception(self, error: HTTPException) -> Response:
        return answer_http_exception(error)

    def specification(self) -> dict[str, Any]:
        """The OpenAPI document, with the headers that every answer carries."""
        document: dict[str, Any] = json.loads(json.dumps(self.spec.to_dict()))
        document["components"]["schemas"].pop("PaginationMetadata", None)
        document["components"]["headers"] = _ID_HEADERS
        for path in document["paths"].values():
            for operation in (value for value in path.values() if isinstance(value, dict)):
                operation["responses"] = dict(sorted(operation["responses"].items()))
                for response in operation["responses"].values():
                    response["headers"] = response.get("headers", {}) | _id_headers()
        return document


def _id_headers() -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in _ID_HEADERS}


def _refusal(codes: list[str]) -> dict[str, Any]:
    narrowed = {"properties": {"error": {"properties": {"code": {"enum": codes}}}}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Error"}, narrowed]}
    return {"description": " or ".join(codes), "content": {"application/json": {"schema": schema}}}
