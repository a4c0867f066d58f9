"""How the refusals of the core, of Flask and of the database are said over HTTP: one table, one body."""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from pulse_core.domain.errors import PulseError
from pulse_core.log import get_logger

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
    "DATABASE_ERROR": 500,
    "SERVICE_UNAVAILABLE": 503,
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

_ACCOUNT_OF_ORDER = "fk_orders_account_id"

log = get_logger(__name__)


def answer_errors(app: Flask) -> None:
    """Give every failure of this app the one error body."""
    app.register_error_handler(PulseError, _answer_refusal)
    app.register_error_handler(HTTPException, answer_http_exception)
    app.register_error_handler(SQLAlchemyError, _answer_database_error)
    app.register_error_handler(Exception, _answer_defect)


def answer_http_exception(error: HTTPException) -> Response:
    """The error body for what Flask and Werkzeug refuse by themselves: unknown paths, methods, sizes."""
    status = error.code or 500
    code = _CODE_OF_STATUS.get(status, "INVALID_REQUEST" if status < 500 else "INTERNAL_ERROR")
    answer = _answer(status, code, error.name.lower())
    if isinstance(error, MethodNotAllowed):
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return answer


def _answer_refusal(error: PulseError) -> Response:
    if error.code == "INTERNAL_ERROR":
        return _answer_defect(error)
    if error.code == "SERVICE_UNAVAILABLE":
        log.warning("request refused", code=error.code, reason=error.message)
    return _answer(HTTP_STATUS[error.code], error.code, error.message, error.details)


def _answer_database_error(error: SQLAlchemyError) -> Response:
    if _ACCOUNT_OF_ORDER in str(getattr(error, "orig", "")):
        return _answer(401, "UNAUTHORIZED", "the account of this token does not exist")
    log.exception("request failed in the database")
    return _answer(500, "DATABASE_ERROR", "the database refused this")


def _answer_defect(_error: Exception) -> Response:
    log.exception("request failed")
    return _answer(500, "INTERNAL_ERROR", "something went wrong on our side")


def _answer(status: int, code: str, message: str, details: Mapping[str, Any] | None = None) -> Response:
    answer = jsonify(error={"code": code, "message": message, "details": dict(details or {})})
    answer.status_code = status
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if status == 429:
        answer.headers["Retry-After"] = str((details or {}).get("retry_after_seconds", 1))
    return answer
