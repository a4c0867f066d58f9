"""ETags on what clients read again and again, so that an unchanged answer costs no body."""

from flask import Flask, Response, request


def answer_conditionally(app: Flask) -> None:
    """Give every JSON answer to a GET below /api an ETag, and 304 to a client that has it already."""

    @app.after_request
    def compare_etag(response: Response) -> Response:
        is_readable = request.method in ("GET", "HEAD") and request.path.startswith("/api/")
        if not is_readable or response.status_code != 200 or not response.is_json:
            return response
        response.add_etag()
        response.headers["Cache-Control"] = "private, no-cache"
        response.make_conditional(request)
        return response
