"""ETags on what clients read again and again, so that an unchanged answer costs no body."""

from flask import Flask, Response, request

from gapi_app.preconditions import etag_told


def answer_conditionally(app: Flask) -> None:
    """Give every JSON answer to a GET below /api an ETag, and 304 to a client that has it already.

    What can be changed has that of its version, which pulse tells; all else one of its bytes.
    """

    @app.after_request
    def compare_etag(response: Response) -> Response:
        version = etag_told()
        if version is not None and response.status_code < 300:
            response.headers["ETag"] = version
        is_readable = request.method in ("GET", "HEAD") and request.path.startswith("/api/")
        if not is_readable or response.status_code != 200 or not response.is_json:
            return response
        response.add_etag()
        response.headers["Cache-Control"] = "private, no-cache"
        # If-Match is for changes; werkzeug would answer it here in words of its own.
        response.make_conditional({name: one for name, one in request.environ.items() if name != "HTTP_IF_MATCH"})
        return response
