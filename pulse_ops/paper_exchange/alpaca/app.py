"""The paper exchange as a WSGI application that speaks Alpaca's Trading API v2."""

import time

from flask import Flask, Response, request

from pulse_ops.paper_exchange.alpaca import errors
from pulse_ops.paper_exchange.alpaca.errors import Refusal
from pulse_ops.paper_exchange.alpaca.limits import PER_MINUTE, MinuteLimit
from pulse_ops.paper_exchange.alpaca.market import market
from pulse_ops.paper_exchange.alpaca.orders import ClientOrderIds, orders
from pulse_ops.paper_exchange.alpaca.positions import positions
from pulse_ops.paper_exchange.alpaca.readings import readings
from pulse_ops.paper_exchange.alpaca.standing import Standing, standing
from pulse_ops.paper_exchange.context import Desk
from pulse_ops.paper_exchange.control import control
from pulse_ops.paper_exchange.errors import ConnectionDropped, WireError
from pulse_ops.paper_exchange.server import DROP


def create_app(served: Desk, api_key: str, api_secret: str, calls_per_minute: int = PER_MINUTE) -> Flask:
    """The exchange with all routes of this wire."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["desk"] = served
    app.extensions["client_order_ids"] = ClientOrderIds(served.exchange.books)
    app.extensions["standing"] = account = Standing(api_key, api_secret)
    limit = MinuteLimit(calls_per_minute) if served.limits is not None else None

    def admit() -> None:
        if request.path.startswith(f"{control.url_prefix}/"):
            return
        account.admit(*(request.headers.get(name, "") for name in ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY")))
        if limit is not None:
            limit.take(time.time())

    def tell(answer: Response) -> Response:
        answer.headers.update(limit.headers() if limit is not None else {})
        return answer

    for blueprint in (orders, readings, positions, market, standing, control):
        app.register_blueprint(blueprint)
    app.before_request(admit)
    app.after_request(tell)
    app.register_error_handler(Refusal, errors.answer)
    app.register_error_handler(WireError, errors.answer_to_wire_error)
    app.register_error_handler(ConnectionDropped, _drop)
    app.register_error_handler(404, lambda _: ("Not Found", 404))
    app.register_error_handler(405, lambda _: errors.answer(Refusal(405, "method not allowed")))
    return app


def _drop(_: ConnectionDropped) -> tuple[str, int]:
    request.environ[DROP] = True
    return "", 500
