"""What every answer tells a browser: trust its content type, do not frame it, do not cache it."""

from flask import Flask, Response

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


def secure_answers(app: Flask) -> None:
    """Give every answer these headers; a view that states one of them itself keeps its own.

    No answer allows another origin: browsers keep other sites' scripts out.
    """

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if response.status_code == 204:
            del response.headers["Content-Type"]
        return response
