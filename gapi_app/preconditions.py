"""If-Match on its way to pulse, which compares it where it makes the change, and the versions that pulse tells."""

from collections.abc import Mapping
from typing import cast

from flask import g, has_request_context

from api_contract.preconditions import HEADER, stated
from api_contract.scopes import GATEWAY, Caller

_READING = ("GET", "HEAD")


def precondition_headers(who: Caller, method: str) -> dict[str, str]:
    """For a call to pulse that changes something for the caller of this request."""
    if method in _READING or who is GATEWAY or not has_request_context():
        return {}
    text = stated()
    return {} if text is None else {HEADER: text}


def note_etag(headers: Mapping[str, str]) -> None:
    """Note the version of what pulse has told."""
    if has_request_context() and "ETag" in headers:
        g.etag = headers["ETag"]


def etag_told() -> str | None:
    """That of the answer to this request, if it is about a thing with versions."""
    return cast("str | None", g.get("etag"))
