"""The HTTP answers for database errors, beside those that both services share."""

from flask import Flask, Response
from sqlalchemy.exc import SQLAlchemyError

from api_contract import error_answers
from api_contract.log import get_logger
from api_contract.troubles import troubles
from pulse_core.errors import DatabaseUnavailable

_ACCOUNT_OF_ORDER = "fk_orders_account_id"

log = get_logger(__name__)


def answer_errors(app: Flask) -> None:
    """Give every failure of this app the one error body."""
    error_answers.answer_errors(app)
    app.register_error_handler(DatabaseUnavailable, _answer_database_away)
    app.register_error_handler(SQLAlchemyError, _answer_database_error)


def _answer_database_away(error: DatabaseUnavailable) -> Response:
    troubles.warn(log, error.message, "request refused", code=error.code, reason=error.message)
    return error_answers.error_answer(error)


def _answer_database_error(error: SQLAlchemyError) -> Response:
    if _ACCOUNT_OF_ORDER in str(getattr(error, "orig", "")):
        return error_answers.answer(401, "UNAUTHORIZED", "the account of this token does not exist")
    log.exception("request failed in the database")
    return error_answers.answer(500, "DATABASE_ERROR", "the database refused this")
