"""Everything the gateway refuses or cannot do, as one tree, and how it is said over HTTP.

ApiError
    InvalidRequest
        InvalidInstrument
        InvalidQuantity
        InvalidSplitConfig
    Unauthorized
    Forbidden
    NotFound
    UnsupportedMediaType
    RateLimited
    UpstreamError           pulse answered, but not in words we understand
    ServiceUnavailable      pulse cannot be reached, or cannot serve
    UpstreamTimeout
    Refused                 pulse's own refusal, passed on
"""

from collections.abc import Mapping
from typing import Any

import structlog
from flask import Flask, Response, jsonify
from werkzeug.exceptions import HTTPException, MethodNotAllowed

HTTP_STATUS = {
    "INVALID_REQUEST": 400,
    "INVALID_INSTRUMENT": 400,
    "INVALID_QUANTITY": 400,
    "INVALID_SPLIT_CONFIG": 400,
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "DUPLICATE_ORDER_UNIQUE_KEY": 409,
    "INVALID_STATE": 409,
    "PAYLOAD_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "RATE_LIMITED": 429,
    "INTERNAL_ERROR": 500,
    "UPSTREAM_ERROR": 502,
    "SERVICE_UNAVAILABLE": 503,
    "UPSTREAM_TIMEOUT": 504,
}
_CODE_OF_STATUS = {
    400: "INVALID_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
}

log = structlog.get_logger(__name__)


class ApiError(Exception):
    """A refusal with a stable code, a sentence for a person and details for a program."""

    code = "INTERNAL_ERROR"

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})
        self.status = HTTP_STATUS.get(self.code, 500)


class InvalidRequest(ApiError):
    code = "INVALID_REQUEST"


class InvalidInstrument(InvalidRequest):
    code = "INVALID_INSTRUMENT"


class InvalidQuantity(InvalidRequest):
    code = "INVALID_QUANTITY"


class InvalidSplitConfig(InvalidRequest):
    code = "INVALID_SPLIT_CONFIG"


class Unauthorized(ApiError):
    code = "UNAUTHORIZED"


class Forbidden(ApiError):
    code = "FORBIDDEN"


class NotFound(ApiError):
    code = "NOT_FOUND"


class UnsupportedMediaType(ApiError):
    code = "UNSUPPORTED_MEDIA_TYPE"


class RateLimited(ApiError):
    """`details` say in `retry_after_seconds` when to try again."""

    code = "RATE_LIMITED"


class UpstreamError(ApiError):
    code = "UPSTREAM_ERROR"


class ServiceUnavailable(ApiError):
    code = "SERVICE_UNAVAILABLE"


class UpstreamTimeout(ApiError):
    code = "UPSTREAM_TIMEOUT"


class Refused(ApiError):
    def __init__(self, status: int, code: str, message: str, details: Mapping[str, Any]) -> None:
        super().__init__(message, details)
        self.status = status
        self.code = code


def answer_errors(app: Flask) -> None:
    """Give every failure of this app the one error body."""
    app.register_error_handler(ApiError, error_answer)
    app.register_error_handler(HTTPException, answer_http_exception)
    app.register_error_handler(Exception, _answer_defect)


def error_answer(error: ApiError) -> Response:
    return _answer(error.status, error.code, error.message, error.details)


def answer_http_exception(error: HTTPException) -> Response:
    """The error body for what Flask and Werkzeug refuse by themselves: unknown paths, methods, sizes."""
    status = error.code or 500
    code = _CODE_OF_STATUS.get(status, "INVALID_REQUEST" if status < 500 else "INTERNAL_ERROR")
    answer = _answer(status, code, error.name.lower(), {})
    if isinstance(error, MethodNotAllowed):
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return answer


def _answer_defect(_error: Exception) -> Response:
    log.exception("request failed")
    return _answer(500, "INTERNAL_ERROR", "something went wrong on our side", {})


def _answer(status: int, code: str, message: str, details: Mapping[str, Any]) -> Response:
    answer = jsonify(error={"code": code, "message": message, "details": details})
    answer.status_code = status
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if status == 429:
        answer.headers["Retry-After"] = str(details.get("retry_after_seconds", 1))
    return answer
