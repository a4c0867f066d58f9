"""Errors as Problem Details (RFC 9457), for clients that ask for them."""

from http import HTTPStatus
from typing import Any

from flask import Flask, Response, json, request

MEDIA_TYPE = "application/problem+json"
_TEXT = {"type": "string"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"const": "about:blank"},
        "title": {**_TEXT, "description": "What the status is called."},
        "status": {"type": "integer"},
        "detail": {**_TEXT, "description": "For a person: the `message` of the error."},
        "code": {**_TEXT, "description": "For a program."},
        "details": {"type": "object", "description": "Names the field and the rule broken."},
    },
    "required": ["type", "title", "status", "detail", "code", "details"],
}


def answer_with_problems(app: Flask) -> None:
    """Give errors the form that the header Accept asks for; without it they keep their own."""

    @app.after_request
    def rewrite(response: Response) -> Response:
        if response.status_code < 400 or not response.is_json or not _is_asked_for():
            return response
        error = (response.get_json(silent=True) or {}).get("error")
        if error is not None:
            response.set_data(json.dumps(problem(response.status_code, error)))
            response.content_type = MEDIA_TYPE
        return response


def problem(status: int, error: dict[str, Any]) -> dict[str, Any]:
    """The same error in the form of the RFC."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error["message"],
        "code": error["code"],
        "details": error["details"],
    }


def _is_asked_for() -> bool:
    # Who takes anything gets the form that everybody gets.
    accepted = request.accept_mimetypes
    is_named = any(name.lower() == MEDIA_TYPE for name, _quality in accepted)
    return is_named and accepted[MEDIA_TYPE] >= accepted["application/json"] and accepted[MEDIA_TYPE] > 0
