"""Ids on every answer and every log line, and one line and one count for each request."""

import re
import time
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from prometheus_client import Counter, Histogram

from pulse_core.log import bound_trace, get_logger

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SANE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ROUTE = "pulse.route"
# Asked four times a second by each gateway that has open streams.
_POLLED = "/internal/events/poll"

_REQUESTS = Counter("pulse_requests", "Requests answered.", ["method", "route", "status"])
_SECONDS = Histogram("pulse_request_seconds", "Time to answer.", ["method", "route"])

log = get_logger(__name__)


def trace_requests(app: Flask) -> None:
    """Wrap the app, so that answers made outside of any view carry their ids too."""

    @app.before_request
    def note_route() -> None:
        request.environ[_ROUTE] = request.url_rule.rule if request.url_rule else "unmatched"

    app.wsgi_app = _Traced(app.wsgi_app)  # type: ignore[method-assign]


class _Traced:
    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        started = time.perf_counter()
        ids = _ids(environ)
        status = "500"

        def start(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal status
            status = line[:3]
            headers += [("X-Request-Id", ids["request_id"]), ("X-Trace-Id", ids["trace_id"])]
            return start_response(line, headers, exc_info)

        with bound_trace(ids):
            try:
                return self._app(environ, start)
            finally:
                _observe(environ, status, time.perf_counter() - started)


def _ids(environ: "WSGIEnvironment") -> dict[str, str]:
    ids = {
        "request_id": _sane(environ.get("HTTP_X_REQUEST_ID")),
        "trace_id": _sane(environ.get("HTTP_X_TRACE_ID")),
    }
    traceparent = environ.get("HTTP_TRACEPARENT", "")
    return ids | {"traceparent": traceparent} if _TRACEPARENT.fullmatch(traceparent) else ids


def _sane(value: str | None) -> str:
    return value if value and _SANE_ID.fullmatch(value) else str(uuid.uuid4())


def _observe(environ: "WSGIEnvironment", status: str, seconds: float) -> None:
    # A client chooses method and path: only known words become labels and log fields.
    method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in _METHODS else "OTHER"
    route = environ.get(_ROUTE, "unmatched")
    _REQUESTS.labels(method, route, status).inc()
    _SECONDS.labels(method, route).observe(seconds)
    write = log.debug if route == _POLLED and status == "200" else log.info
    write("request answered", method=method, path=route, status=int(status), duration_ms=round(seconds * 1000, 1))
