"""pulse: the internal order API, called by the gateway, with Postgres as its only truth."""

from typing import Any

from flask import Flask, request
from werkzeug.exceptions import RequestEntityTooLarge

from pulse_app import accounts, control, events, health, keys, orders, postbacks, revocations, sessions, webhooks
from pulse_app.api import Api
from pulse_app.body import MAX_BODY_BYTES
from pulse_app.errors import answer_errors
from pulse_app.specification import SPEC
from pulse_app.time_header import tell_time
from pulse_app.tracing import trace_requests
from pulse_core import db
from pulse_core.config import settings_to_start
from pulse_core.domain.errors import DatabaseUnavailable, SharedSession
from pulse_core.log import setup_logging


def create_app() -> Flask:
    """The WSGI app, with its settings from the environment. Exits with a sentence when they are not fit."""
    config = settings_to_start("pulse")
    setup_logging("pulse", config.log_format, config.log_level)
    _check_session()
    app, _ = _described_app()
    app.before_request(_refuse_large_body)
    tell_time(app)
    trace_requests(app)
    return app


def openapi() -> dict[str, Any]:
    """The OpenAPI document of pulse; needs no settings."""
    return _described_app()[1].specification()


def _described_app() -> tuple[Flask, Api]:
    app = Flask(__name__, static_folder=None)
    app.config.update(
        API_TITLE="Pulse, internal",
        API_VERSION="1",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS=SPEC,
        # One more: a body without a length is cut at the limit, not refused, and the parser must notice.
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES + 1,
    )
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.compact = True  # type: ignore[attr-defined]
    app.url_map.merge_slashes = False
    api = Api(app)
    for views in (sessions, accounts, keys, revocations, orders, control, events, webhooks, postbacks, health):
        api.register_blueprint(views.blueprint)
    answer_errors(app)
    return app, api


def _check_session() -> None:
    try:
        db.check_session()
    except SharedSession as shared:
        raise SystemExit(f"pulse cannot start: {shared.message}") from None
    except DatabaseUnavailable:
        # Postgres comes later, and `/ready` will see.
        return


def _refuse_large_body() -> None:
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise RequestEntityTooLarge
