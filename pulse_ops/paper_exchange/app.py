"""The paper exchange as a WSGI application that speaks Kite Connect v3."""

from flask import Flask, Response, jsonify, request

from pulse_ops.paper_exchange.context import Desk, count, desk
from pulse_ops.paper_exchange.control import control
from pulse_ops.paper_exchange.elsewhere import elsewhere
from pulse_ops.paper_exchange.errors import ConnectionDropped, WireError, bad_input
from pulse_ops.paper_exchange.faults import Stage
from pulse_ops.paper_exchange.logins.routes import PAGE, WITHOUT_TOKEN, logins
from pulse_ops.paper_exchange.margins.routes import margins
from pulse_ops.paper_exchange.orders import orders
from pulse_ops.paper_exchange.quotes import quotes
from pulse_ops.paper_exchange.server import DROP
from pulse_ops.paper_exchange.user.routes import user

# Kite counts every call that writes.
_QUOTES = dict.fromkeys(("quotes.quote", "quotes.day_prices", "quotes.last_prices"), "quotes")
_KINDS = {**_QUOTES, "orders.cancel": "orders", "orders.modify": "orders"}


def create_app(served: Desk) -> Flask:
    """The exchange with all its routes."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["desk"] = served
    for blueprint in (orders, quotes, margins, user, logins, elsewhere, control):
        app.register_blueprint(blueprint)
    app.before_request(_authorize)
    app.register_error_handler(WireError, _error)
    app.register_error_handler(ConnectionDropped, _drop)
    app.register_error_handler(404, lambda _: _error(WireError(404, "GeneralException", "Route not found")))
    app.register_error_handler(405, lambda _: _error(WireError(405, "GeneralException", "Method not allowed")))
    return app


def _authorize() -> None:
    if request.blueprint == control.name or request.endpoint == PAGE:
        return
    if request.headers.get("X-Kite-Version") != "3":
        raise bad_input("Missing or unknown `X-Kite-Version`.")
    if request.endpoint not in WITHOUT_TOKEN:
        desk().logins.check(request.headers.get("Authorization", ""))
        if (rule := desk().exchange.fault_for(Stage.CALL)) is not None:
            raise WireError(rule.status, rule.error_type, rule.message)
    # Placements are counted by their own route, which books them too.
    if request.endpoint != "orders.place":
        count(_KINDS.get(request.endpoint or "", "other"))


def _error(error: WireError) -> tuple[Response, int]:
    return jsonify(status="error", message=error.message, error_type=error.error_type, data=None), error.status


def _drop(_: ConnectionDropped) -> tuple[str, int]:
    request.environ[DROP] = True
    return "", 500
