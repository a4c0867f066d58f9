"""Idempotency-Keys on their way to pulse, which keeps what it answered, and the word of an answer that was kept."""

from collections.abc import Mapping

from flask import Flask, Response, g, has_request_context

from api_contract.idempotency import HEADER, REPLAYED
from api_contract.scopes import GATEWAY, Caller

_READING = ("GET", "HEAD")


def key_headers(who: Caller, method: str) -> dict[str, str]:
    """For a call to pulse that makes or changes something for the caller of this request."""
    if method in _READING or who is GATEWAY or not has_request_context() or "idempotency_key" not in g:
        return {}
    return {HEADER: g.idempotency_key}


def note_replay(headers: Mapping[str, str]) -> None:
    """Note whether pulse has given an answer again."""
    if has_request_context() and headers.get(REPLAYED) == "true":
        g.is_replayed = True


def tell_replays(app: Flask) -> None:
    """Say so on our answer too, whether it is a good one or a refusal."""

    @app.after_request
    def tell(response: Response) -> Response:
        if "is_replayed" in g:
            response.headers[REPLAYED] = "true"
        return response
