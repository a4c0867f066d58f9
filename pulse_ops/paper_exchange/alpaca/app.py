"""The paper exchange as a WSGI application that speaks Alpaca's Trading API v2."""

import hmac
import time

from flask import Flask, Response, request

from pulse_ops.paper_exchange.alpaca import errors
from pulse_ops.paper_exchange.alpaca.account import account
from pulse_ops.paper_exchange.alpaca.errors import Refusal
from pulse_ops.paper_exchange.alpaca.limits import MinuteLimit
from pulse_ops.paper_exchange.alpaca.orders import ClientOrderIds, orders
from pulse_ops.paper_exchange.alpaca.readings import readings
from pulse_ops.paper_exchange.context import Desk
from pulse_ops.paper_exchange.control import control
from pulse_ops.paper_exchange.errors import ConnectionDropped, WireError
from pulse_ops.paper_exchange.server import DROP


def create_app(served: Desk, api_key: str, api_secret: str) -> Flask:
    """The exchange with all routes of this wire."""
    app = Flask(__name__)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions["desk"] = served
    app.extensions["client_order_ids"] = ClientOrderIds(served.exchange.books)
    limit = MinuteLimit() if served.limits is not None else None

    def admit() -> None:
        if request.blueprint == control.name:
            return
        given = [request.headers.get(name, "").encode() for name in ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY")]
        wanted = [api_key.encode(), api_secret.encode()]
        if not all(hmac.compare_digest(*pair) for pair in zip(given, wanted, strict=True)):
            raise Refusal(401, "unauthorized.")
        if limit is not None:
            limit.take(time.time())

    def tell(answer: Response) -> Response:
        answer.headers.update(limit.headers() if limit is not None else {})
        return answer

    for blueprint in (orders, readings, account, control):
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
