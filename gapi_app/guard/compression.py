"""Long JSON answers are compressed for those who ask for it, but for those with a secret.

What has a version keeps the ETag of it, which a compressed answer could not have: it is sent as it is, and is short.
The length of a compressed answer tells something of what is in it, to one who can see the length alone. So what states
that it must not be stored, as every view does that gives out a token, a key or a secret, is sent as it is.
"""

import gzip

from flask import Flask, Response, request

from gapi_app.preconditions import etag_told

LEAST_BYTES = 1024
_LEVEL = 5


def compress_answers(app: Flask) -> None:
    """Runs after the answer has its ETag, which is a weak one then, and before the headers that all answers get."""

    @app.after_request
    def compress(response: Response) -> Response:
        if not _is_worth_it(response):
            return response
        response.vary.add("Accept-Encoding")
        if not _is_asked_for():
            return response
        response.set_data(gzip.compress(response.get_data(), _LEVEL, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
        tag, _is_weak = response.get_etag()
        if tag is not None:
            response.set_etag(tag, weak=True)
        return response


def _is_worth_it(response: Response) -> bool:
    if response.direct_passthrough or response.is_streamed or not response.is_json or response.cache_control.no_store:
        return False
    if etag_told() is not None:
        return False
    return "Content-Encoding" not in response.headers and len(response.get_data()) > LEAST_BYTES


def _is_asked_for() -> bool:
    return any(name == "gzip" and quality > 0 for name, quality in request.accept_encodings)
