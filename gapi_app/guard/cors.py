"""Which other origins' pages may call the gateway: none, unless they are named in PULSE_CORS_ORIGINS."""

import re

from flask import Flask
from flask_cors import CORS

from gapi_app.guard.limits import HEADERS

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_SENT = [
    "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID", "X-Request-Id",
    "X-Trace-Id", "traceparent", "Pulse-Cell",
]  # fmt: skip
_READ = [
    "X-Request-Id",
    "X-Trace-Id",
    "Location",
    "Link",
    "ETag",
    "Retry-After",
    "Idempotent-Replayed",
    "Pulse-Cell",
    *HEADERS,
]
_KEPT_SECONDS = 600


def allow_origins(app: Flask, origins: frozenset[str] | None) -> None:
    """Let pages of these origins call `/api`, with a token: cookies are neither set nor taken."""
    if not origins:
        return
    CORS(
        app,
        resources={r"/api/.*": {}, r"/openapi\.json": {}},
        # Escaped: the library takes an origin with certain signs for a pattern.
        origins=[re.compile(re.escape(origin) + r"\Z") for origin in sorted(origins)],
        methods=_METHODS,
        allow_headers=_SENT,
        expose_headers=_READ,
        max_age=_KEPT_SECONDS,
        supports_credentials=False,
        always_send=False,
        vary_header=True,
    )
