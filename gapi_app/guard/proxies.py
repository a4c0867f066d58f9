"""Whose request a proxy hands on.

The server gives us `X_Forwarded_For` and `X-Forwarded-For` under one name, and of the two the one that comes last. A
proxy that hands on headers with underscores would so let its clients name their address. A header without a dash has
one spelling only.
"""

from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_READ = "HTTP_X_FORWARDED_FOR"


def believe_proxies(app: Flask, count: int, header: str) -> None:
    """Take the client's address from the header that so many proxies have added to; none: from the connection."""
    if not count:
        return
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=0)  # type: ignore[method-assign]
    variable = f"HTTP_{header.upper().replace('-', '_')}"
    if variable != _READ:
        app.wsgi_app = _Renamed(app.wsgi_app, variable)  # type: ignore[method-assign]


class _Renamed:
    """Has one header read for another, which is not believed any more."""

    def __init__(self, app: "WSGIApplication", variable: str) -> None:
        self._app = app
        self._variable = variable

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        environ[_READ] = environ.get(self._variable, "")
        return self._app(environ, start_response)
