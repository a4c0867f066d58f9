"""Ids on every answer and every log line, and one line and one count for each request."""

import re
import time
import uuid
from collections.abc import Collection, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from api_contract.log import bound_trace, current_trace, get_logger
from api_contract.metrics import Process, counter, gauge, histogram
from api_contract.spans import TRACEPARENT, Kind, Step, span, trace_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from prometheus_client import Counter, Histogram

_SANE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ROUTE = "pulse.route"
_HEADERS = {"request_id": "X-Request-Id", "trace_id": "X-Trace-Id", "traceparent": "traceparent"}

log = get_logger(__name__)


def trace_requests(app: Flask, service: Process, quiet_routes: Collection[str] = ()) -> None:
    """Wrap the app, so that answers made outside of any view carry their ids too.

    The name of the `service` begins those of its counters. Good answers of `quiet_routes` are logged for debugging.
    """

    @app.before_request
    def note_route() -> None:
        request.environ[_ROUTE] = request.url_rule.rule if request.url_rule else "unmatched"

    app.wsgi_app = _Traced(app.wsgi_app, service, quiet_routes)  # type: ignore[method-assign]


def trace_headers() -> dict[str, str]:
    """The ids of this request as headers for the next service."""
    return {_HEADERS[name]: value for name, value in current_trace().items()}


class _Traced:
    def __init__(self, app: "WSGIApplication", service: Process, quiet_routes: Collection[str]) -> None:
        self._app = app
        requests, seconds = request_metrics(service)

        @cache
        def series(method: str, route: str, status: str) -> "tuple[Counter, Histogram]":
            return requests.labels(method, route, status), seconds.labels(method, route)

        # There are few: only known words become labels.
        self._series = series
        self._quiet_routes = quiet_routes

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        started = time.perf_counter()
        ids = _ids(environ)
        status = "500"
        trace_id = ""

        def start(line: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal status
            status = line[:3]
            headers += [("X-Request-Id", ids["request_id"]), ("X-Trace-Id", trace_id)]
            return start_response(line, headers, exc_info)

        with bound_trace(ids), span("request", Kind.SERVER) as step:
            trace_id = _given(environ, "HTTP_X_TRACE_ID") or trace_of(step.traceparent) or str(uuid.uuid4())
            with bound_trace({"trace_id": trace_id}):
                try:
                    return self._app(environ, start)
                finally:
                    self._observe(environ, step, status, time.perf_counter() - started)

    def _observe(self, environ: "WSGIEnvironment", step: Step, status: str, seconds: float) -> None:
        # A client chooses method and path: only known words become labels and log fields.
        method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in _METHODS else "OTHER"
        route = environ.get(_ROUTE, "unmatched")
        step.rename(f"{method} {route}")
        requests, answered = self._series(method, route, status)
        requests.inc()
        answered.observe(seconds)
        write = log.debug if route in self._quiet_routes and status in ("200", "204") else log.info
        write("request answered", method=method, path=route, status=int(status), duration_ms=round(seconds * 1000, 1))


@cache
def request_metrics(service: Process) -> "tuple[Counter, Histogram]":
    """What a service counts of its requests."""
    processes = gauge(f"{service}_processes", "Processes that serve.", by=[service])
    processes.set(1)
    requests = counter(f"{service}_requests", "Requests answered.", "method", "route", "status", by=[service])
    return requests, histogram(f"{service}_request_seconds", "Time to answer.", "method", "route", by=[service])


def _ids(environ: "WSGIEnvironment") -> dict[str, str]:
    ids = {"request_id": _given(environ, "HTTP_X_REQUEST_ID") or str(uuid.uuid4())}
    traceparent = environ.get("HTTP_TRACEPARENT", "")
    return ids | {"traceparent": traceparent} if TRACEPARENT.fullmatch(traceparent) else ids


def _given(environ: "WSGIEnvironment", header: str) -> str | None:
    """An id that the client chose, if it is one."""
    value = environ.get(header)
    return value if value and _SANE_ID.fullmatch(value) else None
