"""How every failure is said over HTTP: one table, one body."""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from api_contract.errors import PulseError
from api_contract.log import get_logger

_CODE_OF_STATUS = {
    400: "INVALID_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
}

log = get_logger(__name__)


def answer_errors(app: Flask) -> None:
    """Give every failure of this app the one error body."""
    app.register_error_handler(PulseError, error_answer)
    app.register_error_handler(HTTPException, answer_http_exception)
    app.register_error_handler(Exception, _answer_defect)


def error_answer(error: PulseError) -> Response:
    """The error body of a refusal."""
    if error.code == "INTERNAL_ERROR":
        return _answer_defect(error)
    return answer(error.status, error.code, error.message, error.details)


def answer_http_exception(error: HTTPException) -> Response:
    """The error body for what Flask and Werkzeug refuse by themselves: unknown paths, methods, sizes."""
    status = error.code or 500
    code = _CODE_OF_STATUS.get(status, "INVALID_REQUEST" if status < 500 else "INTERNAL_ERROR")
    response = answer(status, code, error.name.lower())
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return response


def answer(status: int, code: str, message: str, details: Mapping[str, Any] | None = None) -> Response:
    """The error body, with the headers that belong to its status."""
    told = dict(details or {})
    response = jsonify(error={"code": code, "message": message, "details": told})
    response.status_code = status
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if status == 429 or (status in (409, 503) and "retry_after_seconds" in told):
        response.headers["Retry-After"] = str(told.get("retry_after_seconds", 1))
    return response


def _answer_defect(_error: Exception) -> Response:
    log.exception("request failed")
    return answer(500, "INTERNAL_ERROR", "something went wrong on our side")
